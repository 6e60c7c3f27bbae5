//! What `--json` prints: for each reading command one shape with a name and a version, from the same facts that people see. A
//! key may be added to a shape; what is there keeps its meaning, or the version is raised.

use anyhow::{Context, Result};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// Facts that can be printed as JSON.
pub trait Shape: Serialize + JsonSchema {
    /// Of the command, mostly.
    const NAME: &'static str;
    const VERSION: u32;
}

/// The document, with its shape's name and version.
pub fn document<T: Shape>(facts: &T) -> Result<Value> {
    let mut document = serde_json::to_value(facts).context("writing JSON")?;
    document["shape"] = json!(T::NAME);
    document["version"] = json!(T::VERSION);
    Ok(document)
}

#[cfg(test)]
mod tests {
    use schemars::SchemaGenerator;

    use super::*;
    use std::path::Path;

    /// The schema of such documents.
    fn schema<T: Shape>() -> Value {
        let mut schema = SchemaGenerator::default().into_root_schema_for::<T>().to_value();
        schema["title"] = json!(format!("iwomp {} --json", T::NAME));
        schema["properties"]["shape"] = json!({"const": T::NAME});
        schema["properties"]["version"] = json!({"const": T::VERSION});
        if let Some(required) = schema["required"].as_array_mut() {
            required.extend([json!("shape"), json!("version")]);
        }
        schema
    }

    /// The schemas are for others to build on: a change of one is to be seen in review. `IWOMP_WRITE_SCHEMAS=1` writes them.
    fn holds<T: Shape>() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/schemas/{}.json", T::NAME));
        let schema = format!("{:#}\n", schema::<T>());
        if std::env::var_os("IWOMP_WRITE_SCHEMAS").is_some() {
            std::fs::write(&path, &schema).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            written,
            schema,
            "{} is another: IWOMP_WRITE_SCHEMAS=1 cargo test --workspace schemas",
            path.display()
        );
    }

    #[test]
    fn the_schemas_in_the_documentation_are_those_of_the_program() {
        holds::<crate::builds::Line>();
        holds::<crate::commands::doctor::Doctor>();
        holds::<crate::commands::history::History>();
        holds::<crate::commands::register::Entry>();
        holds::<crate::commands::register::Lint>();
        holds::<crate::commands::register::Projects>();
        holds::<crate::commands::secret_check::Check>();
        holds::<crate::commands::report::Report>();
        holds::<crate::commands::status::Status>();
        holds::<crate::commands::trace::Trace>();
        holds::<crate::commands::verify_boundary::Boundary>();
        holds::<crate::end::End>();
    }
}
