//! What the worker reads from SSM and the one thing it writes there. It decides nothing: a document is handed to `contract`,
//! which accepts it or says which rule it breaks.

use anyhow::{Context, anyhow};
use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ssm::operation::get_parameters::GetParametersError;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use contract::register::{CredentialSource, Document, Storage};
use contract::{
    Branch, CommitId, ConfigPath, Credentials, Deployed, GitUrl, Project, ProjectName, Seen, SeenBranch, parameter,
};
use iwomp_aws::aws_error;
use secrecy::zeroize::Zeroize;

use crate::aws;
use crate::failure::{Failure, Kind, OrFail};

const AWS_ADVICE: &str = "check that the project's role may make this call, with the KMS key too if the parameter is a \
    SecureString";

/// SSM keeps a hundred versions, and forgets the oldest for a new one, but not one with a label: then it takes no new one at all.
const LABELLED: &str = "somebody has put a label on the oldest version of this parameter, and no trigger mends that: take the label off \
    (aws ssm unlabel-parameter-version, see \"A record that takes no more versions\" in docs/operations.md), then trigger the branch \
    again";

/// The parameters of one project.
pub struct Parameters<'a> {
    client: Client,
    config_path: &'a ConfigPath,
    project: &'a ProjectName,
}

impl<'a> Parameters<'a> {
    #[must_use]
    pub fn new(client: Client, config_path: &'a ConfigPath, project: &'a ProjectName) -> Self {
        Self { client, config_path, project }
    }

    /// What there is of the project, and of its `branch`, in one call: the register entry with `_default` under it, the
    /// credentials, which are those of the credentials parameter or else those in the entry, and what is live.
    ///
    /// # Errors
    /// If there is no entry, if a document breaks a rule, or if AWS does not answer.
    pub async fn read(&self, branch: &Branch) -> Result<Told, Failure> {
        let record_name = parameter::deployed(self.config_path, self.project, branch);
        let [entry, default, credentials] = &self.names_of_project();
        let found = self.get(&[entry, default, credentials, &record_name]).await?;
        Ok(Told { project: self.project_of(&found)?, record: record(found.get(&record_name), &record_name) })
    }

    /// The same of the project alone.
    ///
    /// # Errors
    /// Like [`Self::read`].
    pub async fn read_project(&self) -> Result<Project, Failure> {
        let [entry, default, credentials] = &self.names_of_project();
        self.project_of(&self.get(&[entry, default, credentials]).await?)
    }

    fn names_of_project(&self) -> [String; 3] {
        [
            parameter::register(self.config_path, self.project),
            parameter::default(self.config_path),
            parameter::credentials(self.config_path, self.project),
        ]
    }

    fn project_of(&self, found: &Found) -> Result<Project, Failure> {
        let [entry_name, default_name, credentials_name] = self.names_of_project();
        let Some(entry) = found.get(&entry_name) else {
            let error = anyhow!("looking for the register entry {entry_name}: there is no such parameter");
            return Err(Failure::new(
                Kind::UnknownProject,
                error,
                "register the project, or correct its name in the trigger",
            ));
        };
        let mut project = Project::read(entry, found.get(&default_name))
            .with_context(|| format!("reading the register entry {entry_name} (with {default_name} under it)"))
            .or_fail(Kind::Register, "correct the parameter, then trigger again")?;
        if project.credential_source == CredentialSource::Stored
            && let Some(document) = found.get(&credentials_name)
        {
            project.credentials = Some(credentials(document, &credentials_name, &project.git_url)?);
        }
        Ok(project)
    }

    /// What is live of `branch`, if anything ever was.
    async fn deployed(&self, branch: &Branch) -> Result<Option<Deployed>, Failure> {
        let name = parameter::deployed(self.config_path, self.project, branch);
        record(self.get(&[&name]).await?.get(&name), &name)
    }

    /// Records what is live of `branch` now, if `before` is still what was live when it was decided to deploy. Otherwise another
    /// build has deployed meanwhile, which CodeBuild's limit of one should have kept from happening: to write over its record
    /// could let what is live go backward, and git is not asked any more once the command has run.
    ///
    /// # Errors
    /// If something else is live by now, or if AWS does not take it.
    pub async fn record(&self, branch: &Branch, before: Option<&CommitId>, deployed: &Deployed) -> Result<(), Failure> {
        let name = parameter::deployed(self.config_path, self.project, branch);
        let commit = &deployed.commit;
        let unrecorded = || format!("the command succeeded, but recording in {name} that {commit} is live failed");
        let live = self.deployed(branch).await.map_err(|failure| not_recorded(failure.error.context(unrecorded())))?;
        let live = live.map(|live| live.commit);
        if live.as_ref() != before && live.as_ref() != Some(commit) {
            let said = |commit: Option<&CommitId>| commit.map_or_else(|| "nothing".to_owned(), ToString::to_string);
            let error = anyhow!(
                "meanwhile another build has recorded {}, where {} was live when this one began",
                said(live.as_ref()),
                said(before)
            );
            return Err(Failure::new(
                Kind::NotRecorded,
                error.context(unrecorded()),
                "two builds of the project ran at once: see whose changes are live now, and that the CodeBuild project's \
                 concurrent build limit is 1; then trigger the branch again, and its head runs and is recorded",
            ));
        }
        let put = self
            .client
            .put_parameter()
            .name(&name)
            .value(deployed.to_json())
            .r#type(ParameterType::String)
            // So that of two that both saw nothing only one can write.
            .overwrite(live.is_some());
        match put.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_parameter_max_version_limit_exceeded()) =>
            {
                Err(Failure::new(Kind::NotRecorded, aws_error(error).context(unrecorded()), LABELLED))
            }
            Err(error) => Err(not_recorded(aws_error(error).context(unrecorded()))),
        }
    }

    /// Notes what was seen of a branch, for the launcher, beside what earlier builds saw of others. Only one build of a project
    /// runs at a time, so that nothing is overwritten that was written meanwhile.
    ///
    /// # Errors
    /// If AWS does not take it. Then pinned triggers wait longer than they must, and no more than that.
    pub async fn note_seen(&self, new: SeenBranch, ended: u64) -> Result<(), Failure> {
        let name = parameter::seen(self.config_path, self.project);
        let found = self.get(&[&name]).await?;
        let before = found.get(&name).and_then(|document| Seen::parse(document.text).ok()).unwrap_or_default();
        self.client
            .put_parameter()
            .name(&name)
            .value(before.with(new, ended).to_json())
            .r#type(ParameterType::String)
            .overwrite(true)
            .send()
            .await
            .map_err(aws_error)
            .with_context(|| format!("noting in {name} what was seen of the branch"))
            .or_fail(Kind::Aws, AWS_ADVICE)?;
        Ok(())
    }

    async fn get(&self, names: &[&str]) -> Result<Found, Failure> {
        let answer = self
            .client
            .get_parameters()
            .set_names(Some(names.iter().map(|&name| name.to_owned()).collect()))
            .with_decryption(true)
            .send()
            .await;
        let getting = || format!("getting {} from SSM", names.join(" and "));
        match answer {
            Ok(output) => Ok(Found(output.parameters.unwrap_or_default())),
            Err(error) if is_about_the_key(&error) => {
                let error = aws_error(error)
                    .context(format!("{}: a SecureString under a key that this build cannot use", getting()));
                Err(Failure::new(Kind::Aws, error, self.key_advice()))
            }
            Err(error) => {
                let advice = aws::advice(&error, AWS_ADVICE);
                Err(Failure::new(Kind::Aws, aws_error(error).context(getting()), advice))
            }
        }
    }

    fn key_advice(&self) -> String {
        format!(
            "after a destroy and a new deployment the pipeline has a new key, and what was stored under the old one is lost to \
             it: store the credentials again, `iwomp secret set {}`, and write an encrypted register entry again with \
             the pipeline's key. Was nothing destroyed, see that the parameter was written with the pipeline's key (`aws \
             ssm describe-parameters` shows its KeyId), and that nobody disabled the key",
            self.project
        )
    }
}

/// What SSM holds of a project and one of its branches.
pub struct Told {
    pub project: Project,
    /// What is live, if anything ever was. An error if it cannot be read: then nothing tells which way is forward. It ends a
    /// deployment that the register allows, and says nothing of one that it does not.
    pub record: Result<Option<Deployed>, Failure>,
}

fn credentials(document: Document<'_>, name: &str, git_url: &GitUrl) -> Result<Credentials, Failure> {
    if document.storage == Storage::Plain {
        let error = anyhow!("reading the credentials {name}: the parameter is a String, which many can read");
        return Err(Failure::new(
            Kind::Register,
            error,
            "withdraw the credential at the Git host and store a new one as a SecureString",
        ));
    }
    let doing = || format!("reading the credentials {name}");
    let credentials = Credentials::parse(document.text)
        .with_context(doing)
        .or_fail(Kind::Register, "correct the parameter, then trigger again")?;
    credentials.check(git_url).with_context(doing).or_fail(
        Kind::Register,
        "store credentials that fit gitUrl (`iwomp secret set` checks them), then trigger again",
    )?;
    Ok(credentials)
}

fn record(document: Option<Document<'_>>, name: &str) -> Result<Option<Deployed>, Failure> {
    document
        .map(|document| Deployed::parse(document.text))
        .transpose()
        .with_context(|| format!("reading what is live from {name}"))
        .or_fail(Kind::NotForward, "see in the parameter's history who wrote it, and put its last good value back")
}

/// Whether SSM could not decrypt. Of a key that is gone, disabled or waits to be deleted it says `InvalidKeyId`; of one that the
/// role has no right to, as is every key but its own pipeline's, that decrypting is denied.
fn is_about_the_key(error: &SdkError<GetParametersError>) -> bool {
    match error.code() {
        Some("InvalidKeyId") => true,
        Some("AccessDeniedException") => {
            error.message().is_some_and(|message| message.contains("kms:Decrypt") || message.contains("ciphertext"))
        }
        _ => false,
    }
}

fn not_recorded(error: anyhow::Error) -> Failure {
    Failure::new(
        Kind::NotRecorded,
        error,
        "trigger the branch again: the same commit runs once more and is recorded; until then older commits are not \
         recognised as older",
    )
}

/// The parameters of one answer. SSM leaves out those that do not exist.
struct Found(Vec<Parameter>);

impl Drop for Found {
    /// Whatever of it was a secret lives on in a type of its own.
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|parameter| parameter.value.zeroize());
    }
}

impl Found {
    fn get(&self, name: &str) -> Option<Document<'_>> {
        let parameter = self.0.iter().find(|parameter| parameter.name() == Some(name))?;
        let storage = match parameter.r#type() {
            Some(ParameterType::SecureString) => Storage::Encrypted,
            _ => Storage::Plain,
        };
        Some(Document { text: parameter.value().unwrap_or_default(), storage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ssm::error::ErrorMetadata;
    use aws_sdk_ssm::operation::get_parameters::GetParametersOutput;
    use aws_sdk_ssm::operation::put_parameter::{PutParameterError, PutParameterOutput};
    use aws_smithy_mocks::{RuleMode, mock, mock_client};

    const ENTRY: &str = r#"{"gitUrl":"https://git.example/demo.git","command":"deploy.sh"}"#;

    struct Names {
        config_path: ConfigPath,
        project: ProjectName,
    }

    fn names() -> Names {
        Names { config_path: ConfigPath::parse("iwomp").unwrap(), project: ProjectName::parse("demo").unwrap() }
    }

    fn parameter(name: &str, value: &str, r#type: &ParameterType) -> Parameter {
        Parameter::builder().name(name).value(value).r#type(r#type.clone()).build()
    }

    /// An SSM that holds `stored` and answers as the real one does.
    fn ssm(stored: &'static [(&'static str, &'static str, ParameterType)]) -> Client {
        let rules = [
            ["/iwomp/demo", "/iwomp/_default", "/iwomp-credentials/demo", "/iwomp-deployed/demo/main"].as_slice(),
            &["/iwomp-deployed/demo/main"],
        ]
        .map(|asked| {
            mock!(Client::get_parameters)
                .match_requests(move |input| input.names() == asked && input.with_decryption() == Some(true))
                .then_output(move || {
                    let found = stored.iter().filter(|(name, ..)| asked.contains(name));
                    let parameters = found.map(|(name, value, r#type)| parameter(name, value, r#type)).collect();
                    GetParametersOutput::builder().set_parameters(Some(parameters)).build()
                })
        });
        mock_client!(aws_sdk_ssm, RuleMode::MatchAny, rules.iter().collect::<Vec<_>>())
    }

    async fn project(stored: &'static [(&'static str, &'static str, ParameterType)]) -> Result<Project, Failure> {
        let names = names();
        let parameters = Parameters::new(ssm(stored), &names.config_path, &names.project);
        parameters.read(&Branch::parse("main").unwrap()).await.map(|told| told.project)
    }

    #[tokio::test]
    async fn an_entry_without_credentials_is_read() {
        let project = project(&[("/iwomp/demo", ENTRY, ParameterType::String)]).await.unwrap();
        assert!(project.credentials.is_none());
    }

    #[tokio::test]
    async fn the_credentials_parameter_goes_before_credentials_in_the_entry() {
        const WITH_TOKEN: &str = r#"{"gitUrl":"https://git.example/demo.git","command":"deploy.sh","authToken":"old"}"#;
        let project = project(&[
            ("/iwomp/demo", WITH_TOKEN, ParameterType::SecureString),
            ("/iwomp-credentials/demo", r#"{"basicUsername":"u","basicPassword":"p"}"#, ParameterType::SecureString),
        ])
        .await
        .unwrap();
        assert!(matches!(project.credentials, Some(Credentials::Basic { .. })));
    }

    #[tokio::test]
    async fn credentials_that_cannot_work_are_named_before_anything_is_fetched() {
        const OVER_SSH: &str = r#"{"gitUrl":"ssh://git@git.example/demo.git","command":"deploy.sh"}"#;
        const LOCKED: &str = "{\"sshPrivateKey\":\"-----BEGIN ENCRYPTED PRIVATE KEY-----\\ncanary-5\\n\
            -----END ENCRYPTED PRIVATE KEY-----\\n\",\"knownHosts\":\"git.example ssh-ed25519 AAAA\"}";
        let failure = project(&[
            ("/iwomp/demo", OVER_SSH, ParameterType::String),
            ("/iwomp-credentials/demo", LOCKED, ParameterType::SecureString),
        ])
        .await
        .unwrap_err();
        let text = format!("{:#}", failure.error);
        assert_eq!(failure.kind, Kind::Register);
        assert!(text.contains("/iwomp-credentials/demo") && text.contains("has a passphrase"), "{text}");
        assert!(!text.contains("canary-5"), "{text}");
    }

    #[tokio::test]
    async fn credentials_in_a_string_parameter_are_not_used() {
        let failure = project(&[
            ("/iwomp/demo", ENTRY, ParameterType::String),
            ("/iwomp-credentials/demo", r#"{"authToken":"canary-5"}"#, ParameterType::String),
        ])
        .await
        .unwrap_err();
        assert_eq!(failure.kind, Kind::Register);
        assert!(!format!("{failure:?}").contains("canary-5"));
    }

    #[tokio::test]
    async fn a_project_without_entry_is_refused_even_if_there_is_a_default() {
        let failure = project(&[("/iwomp/_default", ENTRY, ParameterType::String)]).await.unwrap_err();
        assert_eq!(failure.kind, Kind::UnknownProject);
        assert!(failure.error.to_string().contains("/iwomp/demo"), "{}", failure.error);
    }

    #[tokio::test]
    async fn a_broken_entry_is_named_with_its_key_and_without_its_value() {
        const BROKEN: &str = r#"{"gitUrl":"https://me:canary-6@git.example/demo.git","command":"deploy.sh"}"#;
        let failure = project(&[("/iwomp/demo", BROKEN, ParameterType::SecureString)]).await.unwrap_err();
        let text = format!("{:#}", failure.error);
        assert!(text.contains("/iwomp/demo") && text.contains("gitUrl") && !text.contains("canary-6"), "{text}");
    }

    #[tokio::test]
    async fn an_error_of_aws_comes_with_code_and_sentence() {
        let rule = mock!(Client::get_parameters).then_error(|| {
            let metadata =
                ErrorMetadata::builder().code("AccessDeniedException").message("not authorized to kms:Decrypt");
            GetParametersError::generic(metadata.build())
        });
        let (client, names) = (mock_client!(aws_sdk_ssm, [&rule]), names());
        let failure = Parameters::new(client, &names.config_path, &names.project)
            .read(&Branch::parse("main").unwrap())
            .await
            .err()
            .unwrap();
        let text = format!("{:#}", failure.error);
        assert_eq!(failure.kind, Kind::Aws);
        assert!(text.contains("/iwomp/demo") && text.contains("AccessDeniedException: not authorized"), "{text}");
        assert!(failure.advice.contains("iwomp secret set demo"), "{}", failure.advice);
    }

    #[tokio::test]
    async fn what_is_live_is_read_and_a_broken_record_is_no_licence() {
        let (names, main) = (names(), Branch::parse("main").unwrap());
        let live = |stored| Parameters::new(ssm(stored), &names.config_path, &names.project);
        assert!(live(&[]).deployed(&main).await.unwrap().is_none());
        let failure =
            live(&[("/iwomp-deployed/demo/main", "{}", ParameterType::String)]).deployed(&main).await.unwrap_err();
        assert_eq!(failure.kind, Kind::NotForward);
    }

    fn commit(digit: &str) -> CommitId {
        CommitId::parse(&digit.repeat(40)).unwrap()
    }

    /// An SSM in which `live` is recorded, and which takes a record as `overwrite` says.
    fn recording(live: Option<&'static str>, overwrite: bool) -> Client {
        const NAME: &str = "/iwomp-deployed/demo/main";
        let found = mock!(Client::get_parameters).then_output(move || {
            let record = live.map(|digit| format!(r#"{{"commit":"{}","time":"t"}}"#, digit.repeat(40)));
            let parameters = record.iter().map(|record| parameter(NAME, record, &ParameterType::String)).collect();
            GetParametersOutput::builder().set_parameters(Some(parameters)).build()
        });
        let put = mock!(Client::put_parameter)
            .match_requests(move |input| {
                input.name() == Some(NAME)
                    && input.overwrite() == Some(overwrite)
                    && input.r#type() == Some(&ParameterType::String)
                    && Deployed::parse(input.value().unwrap()).is_ok()
            })
            .then_output(|| PutParameterOutput::builder().build());
        mock_client!(aws_sdk_ssm, RuleMode::MatchAny, [&found, &put])
    }

    async fn record(client: Client, before: Option<&CommitId>) -> Result<(), Failure> {
        let names = names();
        let parameters = Parameters::new(client, &names.config_path, &names.project);
        parameters.record(&Branch::parse("main").unwrap(), before, &deployed()).await
    }

    #[tokio::test]
    async fn a_record_is_written_as_a_string_over_the_one_before() {
        record(recording(Some("b"), true), Some(&commit("b"))).await.unwrap();
        record(recording(None, false), None).await.unwrap();
        record(recording(Some("a"), true), Some(&commit("b"))).await.unwrap(); // another build of the same commit was faster
    }

    #[tokio::test]
    async fn what_another_build_recorded_meanwhile_is_not_written_over() {
        for (live, before) in [(Some("c"), Some("b")), (Some("c"), None), (None, Some("b"))] {
            let before = before.map(commit);
            let failure = record(recording(live, true), before.as_ref()).await.unwrap_err();
            let text = format!("{:#}", failure.error);
            assert_eq!(failure.kind, Kind::NotRecorded);
            assert!(text.contains("the command succeeded") && text.contains("another build has recorded"), "{text}");
        }
    }

    #[tokio::test]
    async fn a_deployment_that_is_not_recorded_says_that_the_command_succeeded() {
        let found = mock!(Client::get_parameters).then_output(|| GetParametersOutput::builder().build());
        let put = mock!(Client::put_parameter)
            .then_error(|| PutParameterError::generic(ErrorMetadata::builder().code("AccessDeniedException").build()));
        let failure = record(mock_client!(aws_sdk_ssm, RuleMode::MatchAny, [&found, &put]), None).await.unwrap_err();
        assert_eq!((failure.kind, failure.kind.exit_status()), (Kind::NotRecorded, 75));
        assert!(failure.error.to_string().contains("the command succeeded"), "{}", failure.error);
    }

    #[tokio::test]
    async fn a_record_whose_oldest_version_has_a_label_says_how_to_go_on() {
        use aws_sdk_ssm::types::error::ParameterMaxVersionLimitExceeded;
        let nothing = mock!(Client::get_parameters).then_output(|| GetParametersOutput::builder().build());
        let full = mock!(Client::put_parameter).then_error(|| {
            let cause = ParameterMaxVersionLimitExceeded::builder().message("version 1 has a label").build();
            PutParameterError::ParameterMaxVersionLimitExceeded(cause)
        });
        let names = names();
        let client = mock_client!(aws_sdk_ssm, RuleMode::MatchAny, [&nothing, &full]);
        let parameters = Parameters::new(client, &names.config_path, &names.project);
        let failure = parameters.record(&Branch::parse("main").unwrap(), None, &deployed()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::NotRecorded);
        assert!(failure.advice.contains("unlabel-parameter-version"), "{}", failure.advice);
    }

    fn deployed() -> Deployed {
        let commit = CommitId::parse(&"a".repeat(40)).unwrap();
        Deployed {
            commit,
            time: "2026-11-23T06:00:00Z".to_owned(),
            build: None,
            trigger: None,
            held: None,
            rollback: None,
            release: None,
        }
    }
}
