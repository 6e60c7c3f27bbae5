//! Who changed the register, as CloudTrail tells it. Whoever can write there decides what is deployed and with what command,
//! so every change is told that is not made by a keeper of the register, which is Terraform's role.
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>

use contract::{Class, ConfigPath, Event, printable};
use serde_json::{Value, json};

/// Longest name of a parameter or of a person, in characters; both fit into it.
const MAX_NAME_CHARS: usize = 400;

/// A change that was made, not only tried.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    class: Class,
    /// The parameters of the register among those of the call.
    parameters: Vec<String>,
    /// Who made the call: the ARN of a user or of a role's session.
    who: Option<String>,
    /// The ARN of the role that the session is of.
    role: Option<String>,
    /// What made the call, where it has no ARN: a service of AWS.
    invoked_by: Option<String>,
    /// By which CloudTrail finds the call again, with the address that it came from.
    cloudtrail_event: Option<String>,
    time: Option<String>,
}

impl Change {
    /// Reads the detail of an "AWS API Call via CloudTrail". None if the call failed or touched nothing of the register.
    pub fn read(detail: &Value, config_path: &ConfigPath) -> Option<Self> {
        let text = |pointer| detail.pointer(pointer).and_then(Value::as_str);
        let owned = |pointer| text(pointer).map(str::to_owned);
        let class = match text("/eventName")? {
            "PutParameter" => Class::Written,
            "DeleteParameter" | "DeleteParameters" => Class::Deleted,
            _ => return None,
        };
        if text("/eventSource") != Some("ssm.amazonaws.com") || detail.get("errorCode").is_some_and(|it| !it.is_null())
        {
            return None;
        }
        let several = detail.pointer("/requestParameters/names").and_then(Value::as_array);
        let names = several.into_iter().flatten().filter_map(Value::as_str).chain(text("/requestParameters/name"));
        let parameters: Vec<_> = names.filter(|name| is_registers(name, config_path)).map(str::to_owned).collect();
        if parameters.is_empty() {
            return None;
        }
        Some(Self {
            class,
            parameters,
            who: owned("/userIdentity/arn"),
            role: owned("/userIdentity/sessionContext/sessionIssuer/arn"),
            invoked_by: owned("/userIdentity/invokedBy"),
            cloudtrail_event: owned("/eventID"),
            time: owned("/eventTime"),
        })
    }

    /// Whether one of these made it: the very user or session, or a session of the very role.
    pub fn is_by(&self, keepers: &[String]) -> bool {
        let arns = [&self.who, &self.role];
        arns.into_iter().flatten().any(|arn| keepers.contains(arn))
    }

    /// What people are told. Names of sessions are chosen by whoever opens them.
    pub fn report(&self) -> Value {
        let escaped = |text: &String| printable(text, MAX_NAME_CHARS);
        let who = self.who.as_ref().or(self.invoked_by.as_ref()).map_or_else(|| "somebody".to_owned(), escaped);
        let parameters: Vec<_> = self.parameters.iter().map(escaped).collect();
        let reason = format!(
            "{who} has {} {} and is no keeper of the register: what is deployed, from where and with which command, may be \
             another now. To do: iwomp pause for the project, compare the parameter with the Terraform that describes it, \
             and apply that; if it was meant, add who may do it to register_keeper_arns",
            self.class,
            parameters.join(" and "),
        );
        let mut report = json!({
            "event": Event::RegisterChanged,
            "class": self.class,
            "reason": reason,
            "parameters": parameters,
            "who": who,
        });
        let more = [("role", &self.role), ("time", &self.time), ("cloudtrail_event", &self.cloudtrail_event)];
        for (key, value) in more {
            if let Some(value) = value {
                report[key] = json!(escaped(value));
            }
        }
        report
    }
}

/// Whether a name, or an ARN that somebody used instead, is of the register: `/<config path>/…`.
fn is_registers(name: &str, config_path: &ConfigPath) -> bool {
    let name = name.split_once(":parameter/").map_or(name, |(_, path)| path);
    let path = name.strip_prefix('/').unwrap_or(name);
    path.strip_prefix(config_path.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{KEEPER, SESSION, config_path, is_harmless, put_parameter};

    fn change(event: &Value) -> Option<Change> {
        Change::read(&event["detail"], &config_path())
    }

    fn delete_parameters(names: &[&str]) -> Value {
        let mut event = put_parameter("/iwomp-in-aws/demo");
        event["detail"]["eventName"] = json!("DeleteParameters");
        event["detail"]["requestParameters"] = json!({"names": names});
        event
    }

    #[test]
    fn a_written_entry_is_told_with_who_and_what_and_what_to_do() {
        let report = change(&put_parameter("/iwomp-in-aws/demo")).unwrap().report();
        assert_eq!(report["class"], "written");
        assert_eq!(report["parameters"], json!(["/iwomp-in-aws/demo"]));
        assert_eq!((&report["who"], &report["role"]), (&json!(SESSION), &json!(KEEPER)));
        let reason = report["reason"].as_str().unwrap();
        assert!(reason.starts_with(&format!("{SESSION} has written /iwomp-in-aws/demo and is no keeper")), "{reason}");
        assert!(reason.contains("iwomp pause") && reason.contains("register_keeper_arns"), "{reason}");
    }

    #[test]
    fn what_lies_under_every_entry_is_the_register_too() {
        assert!(change(&put_parameter("/iwomp-in-aws/_default")).is_some());
        assert!(change(&put_parameter("arn:aws:ssm:eu-central-1:123456789012:parameter/iwomp-in-aws/demo")).is_some());
    }

    #[test]
    fn of_many_deleted_parameters_those_of_the_register_are_named() {
        let change = change(&delete_parameters(&["/other", "/iwomp-in-aws/a", "/iwomp-in-aws/b"])).unwrap();
        assert_eq!(change.report()["parameters"], json!(["/iwomp-in-aws/a", "/iwomp-in-aws/b"]));
        assert_eq!(change.report()["class"], "deleted");
    }

    #[test]
    fn what_did_not_happen_or_happened_elsewhere_is_no_change() {
        let names = [
            "/iwomp-in-aws",
            "/iwomp-in-awsx/demo",
            "/iwomp-in-aws-deployed/demo/main",
            "demo",
            "/x/iwomp-in-aws/demo",
        ];
        for name in names {
            assert_eq!(change(&put_parameter(name)), None, "{name}");
        }
        assert_eq!(change(&delete_parameters(&["/other"])), None);
        for (key, value) in [
            ("errorCode", "AccessDenied"),
            ("eventName", "UnlabelParameterVersion"),
            ("eventName", "GetParameter"),
            ("eventSource", "secretsmanager.amazonaws.com"),
        ] {
            let mut event = put_parameter("/iwomp-in-aws/demo");
            event["detail"][key] = json!(value);
            assert_eq!(change(&event), None, "{key} {value}");
        }
        assert_eq!(change(&json!({})), None);
    }

    #[test]
    fn a_keeper_is_known_by_its_whole_arn_or_that_of_its_role() {
        let change = change(&put_parameter("/iwomp-in-aws/demo")).unwrap();
        assert!(change.is_by(&[KEEPER.to_owned()]) && change.is_by(&["x".to_owned(), SESSION.to_owned()]));
        for other in
            ["", "arn:aws:iam::123456789012:role/terra", "arn:aws:iam::123456789012:role/terraform/x", "terraform"]
        {
            assert!(!change.is_by(&[other.to_owned()]), "{other}");
        }
        assert!(!change.is_by(&[]));
    }

    #[test]
    fn somebody_without_any_name_is_no_keeper_and_is_told() {
        let mut event = put_parameter("/iwomp-in-aws/demo");
        event["detail"]["userIdentity"] = json!({"type": "AWSService"});
        let nameless = change(&event).unwrap();
        assert!(!nameless.is_by(&["".to_owned()]));
        assert_eq!(nameless.report()["who"], "somebody");
        event["detail"]["userIdentity"]["invokedBy"] = json!("cloudformation.amazonaws.com");
        assert_eq!(change(&event).unwrap().report()["who"], "cloudformation.amazonaws.com");
    }

    #[test]
    fn nothing_of_a_call_reaches_a_screen_unescaped_and_no_value_does_at_all() {
        let mut event = put_parameter("/iwomp-in-aws/\u{1b}[31m\u{202e}x\n");
        event["detail"]["requestParameters"]["value"] = json!("canary-7");
        event["detail"]["userIdentity"]["arn"] = json!("arn:\u{7}\r\n\u{2066}evil");
        event["detail"]["eventTime"] = json!("\u{1b}]0;x");
        let report = change(&event).unwrap().report();
        assert!(is_harmless(&report) && !report.to_string().contains("canary-7"), "{report}");
    }
}
