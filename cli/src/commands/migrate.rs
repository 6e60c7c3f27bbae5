//! `iwomp migrate`: what the parameters of the original article's set-up become here, as a file for Terraform. It changes nothing.
//! No secret is shown: that there is one is said, and what to do with it.

use anyhow::Context;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::ProvideErrorMetadata;
use aws_sdk_ssm::types::Parameter;
use contract::register::{Document, KEYS, Storage, is_secret, terraform_name};
use contract::{ConfigPath, DocumentError, Project, ProjectName, parameter};
use iwomp_aws::aws_error;
use iwomp_aws::parameters::Register;
use serde_json::{Map, Value};

use crate::arguments::{MigrateArguments, Place};
use crate::exit::{Exit, Failure};
use crate::pipeline::Named;
use crate::register::is_encrypted;
use crate::terminal::{Terminal, counted};

/// With these somebody gets in; in the order in which they are written down.
const CREDENTIALS: [&str; 3] = ["authToken", "basicUsername", "basicPassword"];

#[tokio::main(flavor = "current_thread")]
pub async fn run(place: &Place, arguments: &MigrateArguments, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let Named { config_path, region, aws } = Named::find(place, terminal).await?;
    let ssm = Client::new(&aws);
    let old = old(&ssm, &config_path).await?;
    if old.is_empty() {
        let what = format!("there is no parameter below /{config_path}/ in {region}");
        return Err(Failure::new(Exit::NotThere, what).advise("name the path of the old set-up with --config-path"));
    }
    let new = New::of(&old, &config_path, &arguments.to);
    terminal.source(&new.file);
    let (refused, of) = (counted(new.refused, "project"), counted(old.len(), "parameter"));
    terminal
        .note(&format!("{of} below /{config_path}/ read, nothing changed; {refused} would be refused as it stands"));
    Ok(Exit::Done)
}

/// A parameter of the old set-up.
struct Old {
    name: String,
    is_encrypted: bool,
    /// None: whoever asks may not decrypt it.
    text: Option<String>,
}

async fn old(ssm: &Client, config_path: &ConfigPath) -> Result<Vec<Old>, Failure> {
    let mut old = Vec::new();
    for parameter in Register::read(ssm, config_path).await?.0 {
        let name = parameter.name().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
        // Ours, if it is a pipeline already: its description, and what lies under every entry.
        if name.starts_with('_') {
            continue;
        }
        let is_encrypted = is_encrypted(&parameter);
        let text = if is_encrypted { decrypted(ssm, &parameter).await? } else { parameter.value };
        old.push(Old { name, is_encrypted, text });
    }
    old.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(old)
}

async fn decrypted(ssm: &Client, parameter: &Parameter) -> anyhow::Result<Option<String>> {
    let name = parameter.name().unwrap_or_default();
    match ssm.get_parameter().name(name).with_decryption(true).send().await {
        Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
        Err(error) if error.code() == Some("AccessDeniedException") => Ok(None),
        Err(error) => Err(aws_error(error)).with_context(|| format!("reading {name}")),
    }
}

/// What Terraform is to be given.
struct New {
    file: String,
    refused: usize,
}

impl New {
    fn of(old: &[Old], from: &ConfigPath, to: &ConfigPath) -> Self {
        let (mut projects, mut secrets, mut refused) = (String::new(), String::new(), 0);
        for one in old {
            let project = match ProjectName::parse(&one.name) {
                Ok(project) => project,
                Err(error) => {
                    projects += &format!("  # left out: {:?}: {error}\n", one.name);
                    refused += 1;
                    continue;
                }
            };
            let Some(text) = &one.text else {
                projects += &format!("  # left out: {project}, which you may not decrypt\n");
                continue;
            };
            let (entry, faults) = Self::entry(&project, text);
            refused += usize::from(!faults.is_empty());
            projects += &entry;
            secrets += &secret(one, &project, text, from, to);
        }
        let secrets = match secrets.as_str() {
            "" => String::new(),
            secrets => format!("\n# Credentials stand in no file. After `terraform apply`:\n{secrets}"),
        };
        let file = format!(
            "# From the parameters below /{from}/, which are as they were. See docs/migration.md.\n\
             # Any branch could be deployed there; here main and master, unless `branches` names others.\n\
             config_path = \"{to}\"\n\nprojects = {{\n{projects}}}\n{secrets}"
        );
        Self { file, refused }
    }

    /// The entry of a project, with what is wrong in it.
    fn entry(project: &ProjectName, text: &str) -> (String, Vec<DocumentError>) {
        // As if it were encrypted: that a secret stands in the open is said beside it.
        let document = Document { text, storage: Storage::Encrypted };
        let faults = Project::read_whole(document, None).err().unwrap_or_default();
        let object = object(text);
        // Else nobody has looked at its values, and in any of them a secret may stand.
        let is_read = faults.iter().all(is_of_one_key);
        let is_good = |key: &str| is_read && !faults.iter().any(|fault| key_of(fault) == Some(key));
        let good = KEYS.into_iter().filter(|key| is_good(key));
        let fields: Vec<_> = good.filter_map(|key| field(key, object.get(key)?)).collect();
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let fields: String = fields.iter().map(|(name, value)| format!("    {name:width$} = {value}\n")).collect();
        let said: String = faults.iter().map(|fault| format!("    # refused: the entry {fault}\n")).collect();
        (format!("  \"{project}\" = {{\n{fields}{said}  }}\n"), faults)
    }
}

/// What Terraform calls a key, and its value as Terraform reads it. None: it stands in no file.
fn field(key: &str, value: &Value) -> Option<(String, String)> {
    let name = match terraform_name(key)? {
        name if name == "command" && value.is_array() => "command_vector".to_owned(),
        name => name,
    };
    // JSON is an expression of Terraform, but for these two, which begin a template.
    Some((name, value.to_string().replace("${", "$${").replace("%{", "%%{")))
}

/// As the contract reads it: without a byte order mark.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text.trim().trim_start_matches('\u{feff}')).unwrap_or_default()
}

fn is_of_one_key(fault: &DocumentError) -> bool {
    key_of(fault).is_some() || matches!(fault, DocumentError::UnknownKey { .. } | DocumentError::MissingKey(_))
}

fn key_of(fault: &DocumentError) -> Option<&str> {
    match fault {
        DocumentError::Invalid { key, .. } | DocumentError::Name { key, .. } => Some(key),
        DocumentError::RepeatedKey(key) => Some(key),
        _ => None,
    }
}

/// How a project's credentials come here, if it has any.
fn secret(old: &Old, project: &ProjectName, text: &str, from: &ConfigPath, to: &ConfigPath) -> String {
    let object = object(text);
    if !object.keys().any(|key| is_secret(key)) {
        return String::new();
    }
    let keys: Vec<_> = CREDENTIALS.into_iter().filter(|key| object.contains_key(*key)).collect();
    let set = format!("iwomp secret set {project} --config-path {to} --yes");
    if old.is_encrypted {
        let name = parameter::register(from, project);
        return format!(
            "#   aws ssm get-parameter --with-decryption --name {name} --query Parameter.Value --output text |\n\
             #     jq '{{{}}}' | {set}\n",
            keys.join(", ")
        );
    }
    format!(
        "#   {set} <new.json\n\
         #     new.json: {{{}}}, and new ones: the old ones stand in a String, which many can read.\n\
         #     Withdraw those at the Git host once the old set-up is gone.\n",
        keys.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{Aws, parameter};
    use serde_json::json;

    /// As the article's own code reads them, and some that its users may have.
    fn parameters() -> Vec<Old> {
        let plain =
            |name: &str, text: &str| Old { name: name.to_owned(), is_encrypted: false, text: Some(text.to_owned()) };
        let url = "https://git.example/a.git";
        vec![
            plain("api", &json!({"gitUrl": url, "command": "deploy.sh", "deployDir": "infra/${x}"}).to_string()),
            plain("line", &json!({"gitUrl": url, "command": "make deploy", "image": "x"}).to_string()),
            plain("open", &json!({"gitUrl": url, "command": ["make", "deploy"], "authToken": "canary-1"}).to_string()),
            Old {
                is_encrypted: true,
                ..plain(
                    "sealed",
                    &json!({"gitUrl": url, "command": "x", "basicUsername": "u", "basicPassword": "canary-2"})
                        .to_string(),
                )
            },
            plain("inside", &json!({"gitUrl": "https://u:canary-3@git.example/a", "command": "x"}).to_string()),
            Old { text: None, is_encrypted: true, ..plain("shut", "") },
            plain("no.name", "{}"),
            plain("broken", "canary-4"),
            plain("twice", r#"{"gitUrl":"https://u:canary-5@git.example/a","command":"x","old":{"a":1,"a":2}}"#),
            plain("marked", &format!("\u{feff}{}", json!({"gitUrl": url, "command": "marked.sh"}))),
        ]
    }

    fn file(old: &[Old]) -> New {
        let path = |text| ConfigPath::parse(text).unwrap();
        New::of(old, &path("iwomp-in-aws"), &path("iwomp"))
    }

    #[test]
    fn the_articles_entries_become_terraforms() {
        let New { file, refused } = file(&parameters()[..1]);
        assert!(file.contains("config_path = \"iwomp\"\n\nprojects = {\n"), "{file}");
        let entry = "  \"api\" = {\n    git_url    = \"https://git.example/a.git\"\n    command    = \"deploy.sh\"\n    deploy_dir = \"infra/$${x}\"\n  }\n";
        assert!(file.contains(entry), "{file}");
        assert!(!file.contains("Credentials") && refused == 0, "{file}");
    }

    #[test]
    fn what_will_be_refused_is_said_beside_what_it_is_and_no_secret_is_shown() {
        let New { file, refused } = file(&parameters());
        for said in [
            "  \"line\" = {\n    git_url = \"https://git.example/a.git\"\n    # refused: the entry has the unknown key \"image\"",
            "    # refused: the entry \"command\" is one executable and not a command line",
            "    command_vector = [\"make\",\"deploy\"]\n",
            "  \"inside\" = {\n    command = \"x\"\n    # refused: the entry \"gitUrl\" must hold no user information",
            "  \"broken\" = {\n    # refused: the entry is not a JSON object\n  }\n",
            "  \"twice\" = {\n    # refused: the entry ",
            "    command = \"marked.sh\"\n",
            "  # left out: shut, which you may not decrypt\n",
            "  # left out: \"no.name\": project must",
            "#   iwomp secret set open --config-path iwomp --yes <new.json\n#     new.json: {authToken}, and new ones",
            "--name /iwomp-in-aws/sealed --query Parameter.Value --output text |\n#     jq '{basicUsername, basicPassword}' | \
             iwomp secret set sealed --config-path iwomp --yes\n",
        ] {
            assert!(file.contains(said), "{said}\nis not in\n{file}");
        }
        assert!(!file.contains("canary"), "{file}");
        assert_eq!(refused, 5, "{file}");
    }

    #[tokio::test]
    async fn what_is_a_pipelines_own_is_no_project() {
        let names = ["/iwomp-in-aws/web", "/iwomp-in-aws/_pipeline", "/iwomp-in-aws/_default", "/iwomp-in-aws/api"];
        let aws = Aws { parameters: names.map(|name| parameter(name, "{}")).to_vec(), ..Aws::default() };
        let (pipeline, _) = aws.pipeline();
        let found = old(&pipeline.ssm, &pipeline.config_path).await.unwrap();
        assert_eq!(found.iter().map(|old| old.name.as_str()).collect::<Vec<_>>(), ["api", "web"]);
        assert!(found.iter().all(|old| old.text.as_deref() == Some("{}") && !old.is_encrypted));
    }
}
