//! When the record of a branch is of no use any more. Without a record any commit of the branch may be pinned, however old, so
//! that one goes only where nothing can be deployed anyway, or where nothing was for very long; never where a person has
//! written the branch's name into the register. See docs/decisions/0016.

use std::time::{Duration, SystemTime};

use aws_sdk_ssm::primitives::DateTime;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use contract::register::{Branches, Document, Standing, Storage};
use contract::{Branch, ConfigPath, Deployed, DocumentError, Project, ProjectName, parameter};
use iwomp_aws::parameters::Register;

/// How long the register must have left a branch out: a mistake in it is noticed within that time.
const GRACE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What the register says of a project's branches.
pub struct Rules {
    branches: Branches,
    /// When entry or default were written last: since then it says so.
    since: SystemTime,
}

/// Why a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The register has not allowed the branch for long.
    NotAllowed,
    /// The branch is one of those below a prefix, and nothing was deployed of it for longer.
    Unused,
}

/// A record that may go.
#[derive(Debug)]
pub struct OldRecord {
    pub name: String,
    /// Of the parameter. Another one means that something was deployed meanwhile.
    pub version: i64,
    pub branch: Branch,
    pub record: Deployed,
    pub written: DateTime,
    pub cause: Cause,
}

/// A parameter that is no record of what is live.
#[derive(Debug, PartialEq, Eq)]
pub struct NoRecord;

impl Rules {
    /// None where nothing can be known for sure: the entry or its default is encrypted, or neither names branches.
    pub fn read(
        register: &Register,
        config_path: &ConfigPath,
        project: &ProjectName,
    ) -> Result<Option<Self>, DocumentError> {
        let default = register.find(&parameter::default(config_path));
        let Some(entry) = register.find(&parameter::register(config_path, project)) else { return Ok(None) };
        let found = || [Some(entry), default].into_iter().flatten();
        if found().any(|parameter| parameter.r#type() != Some(&ParameterType::String)) {
            return Ok(None);
        }
        let Some(branches) = Project::named_branches(document(entry), default.map(document))? else { return Ok(None) };
        let dates: Option<Vec<_>> = found().map(|parameter| time(parameter.last_modified_date()?)).collect();
        let since = dates.and_then(|dates| dates.into_iter().max());
        Ok(since.map(|since| Self { branches, since }))
    }

    fn cause(&self, branch: &Branch, written: SystemTime, now: SystemTime, kept: Duration) -> Option<Cause> {
        // What is dated in the future is not old.
        let age = |then| now.duration_since(then).unwrap_or_default();
        match self.branches.standing(branch) {
            Standing::Named => None,
            Standing::Below => (age(written) > kept.max(GRACE)).then_some(Cause::Unused),
            Standing::NotAllowed => (age(written) > GRACE && age(self.since) > GRACE).then_some(Cause::NotAllowed),
        }
    }

    /// What is to be removed of a parameter below `prefix`: mostly nothing. Its age is SSM's, for the time in it is the
    /// build's to write.
    pub fn judge(
        &self,
        found: &Parameter,
        prefix: &str,
        now: SystemTime,
        kept: Duration,
    ) -> Result<Option<OldRecord>, NoRecord> {
        let name = found.name().ok_or(NoRecord)?;
        let branch = name.strip_prefix(prefix).and_then(Branch::decode).ok_or(NoRecord)?;
        let text = found.value().filter(|_| found.r#type() == Some(&ParameterType::String)).ok_or(NoRecord)?;
        let record = Deployed::parse(text).map_err(|_| NoRecord)?;
        let Some(written) = found.last_modified_date() else { return Ok(None) };
        let cause = time(written).and_then(|time| self.cause(&branch, time, now, kept));
        // What an operator has held stays held.
        let cause = cause.filter(|_| record.held.is_none());
        let old = |cause| OldRecord {
            name: name.to_owned(),
            version: found.version(),
            branch,
            record,
            written: *written,
            cause,
        };
        Ok(cause.map(old))
    }
}

fn document(parameter: &Parameter) -> Document<'_> {
    Document { text: parameter.value().unwrap_or_default(), storage: Storage::Plain }
}

fn time(date: &DateTime) -> Option<SystemTime> {
    SystemTime::try_from(*date).ok()
}
