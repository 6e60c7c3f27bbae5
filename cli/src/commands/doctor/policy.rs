//! Reads resource and trust policies as far as a yes or no is sure. Where a policy says more than is understood here, nobody knows.

use serde_json::Value;

/// Whether `policy` lets the service `service` do `action` for what comes from `source`. None: it has denials, or is none.
pub fn lets_in(policy: &str, service: &str, action: &str, source: &str) -> Option<bool> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = list(policy.get("Statement")?);
    if statements.iter().any(|statement| statement["Effect"] != "Allow") {
        return None;
    }
    Some(statements.iter().any(|statement| {
        names(&statement["Principal"], "Service", service)
            && words(&statement["Action"]).iter().any(|pattern| is_like(action, pattern))
            && comes_from(&statement["Condition"], source)
    }))
}

/// Whether a trust policy lets `principal`, an ARN, do `action` with the role. None: it has denials, or conditions for this
/// principal, which only IAM judges.
pub fn trusts(policy: &str, principal: &str, account: &str, action: &str) -> Option<bool> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let statements = list(policy.get("Statement")?);
    if statements.iter().any(|statement| statement["Effect"] != "Allow") {
        return None;
    }
    let root = format!(":iam::{account}:root");
    let is_whole = |word: &&str| *word == principal || *word == "*" || *word == account || word.ends_with(&root);
    let naming = statements.into_iter().filter(|statement| {
        (statement["Principal"] == "*" || words(&statement["Principal"]["AWS"]).iter().any(is_whole))
            && words(&statement["Action"]).iter().any(|pattern| is_like(action, pattern))
    });
    let conditions: Vec<_> = naming.map(|statement| statement.get("Condition").is_some()).collect();
    match conditions.as_slice() {
        [] => Some(false),
        conditions if conditions.contains(&false) => Some(true),
        _ => None,
    }
}

/// IAM writes trust policies as they stand in a URL.
pub fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.find('%') {
        bytes.extend(&rest.as_bytes()[..at]);
        match rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[at + 3..];
            }
            None => {
                bytes.push(b'%');
                rest = &rest[at + 1..];
            }
        }
    }
    bytes.extend(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn names(principal: &Value, kind: &str, name: &str) -> bool {
    principal == "*" || words(&principal[kind]).contains(&name) || words(&principal["AWS"]).contains(&"*")
}

/// Conditions on the source alone are understood; others are taken to hold.
fn comes_from(condition: &Value, source: &str) -> bool {
    let Some(operators) = condition.as_object() else { return true };
    operators.values().filter_map(Value::as_object).flatten().all(|(key, wanted)| {
        !key.eq_ignore_ascii_case("aws:SourceArn") || words(wanted).iter().any(|pattern| is_like(source, pattern))
    })
}

fn list(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |values| values.iter().collect())
}

fn words(value: &Value) -> Vec<&str> {
    list(value).into_iter().filter_map(Value::as_str).collect()
}

/// `*` stands for any text, as in a policy.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.to_ascii_lowercase(), pattern.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_star_in_a_policy_stands_for_any_text() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "ab", false),
            ("abc", "a*", true),
            ("abc", "*", true),
            ("abc", "*c", true),
            ("abc", "a*c*", true),
            ("abc", "b*", false),
            ("sqs:SendMessage", "SQS:Send*", true),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        }
    }

    #[test]
    fn a_trust_policy_is_read_as_iam_writes_it() {
        assert_eq!(unescaped("%7B%22a%22%3A%201%7D"), r#"{"a": 1}"#);
        assert_eq!(unescaped("100% %zz %C3%A4 %"), "100% %zz ä %");
    }

    #[test]
    fn a_queue_lets_in_what_its_policy_names() {
        let policy = |condition: Value| {
            json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
                "Condition": condition}]})
            .to_string()
        };
        let asked = |policy: &str| lets_in(policy, "sns.amazonaws.com", "sqs:SendMessage", "arn:topic");
        assert_eq!(asked(&policy(json!({"ArnEquals": {"aws:SourceArn": ["arn:other", "arn:topic"]}}))), Some(true));
        assert_eq!(asked(&policy(json!({"ArnLike": {"aws:SourceArn": "arn:*"}}))), Some(true));
        assert_eq!(asked(&policy(json!({"ArnEquals": {"aws:SourceArn": "arn:other"}}))), Some(false));
        assert_eq!(asked(r#"{"Statement":[{"Effect":"Deny"}]}"#), None);
        assert_eq!(asked(""), None);
    }

    #[test]
    fn a_role_trusts_a_name_or_an_account_and_conditions_are_iams() {
        let policy = |principal: Value, more: Value| {
            let mut statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
            statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"Statement": statement}).to_string()
        };
        const ROLE: &str = "arn:aws:iam::123456789012:role/demo";
        let asked = |policy: String| trusts(&policy, ROLE, "123456789012", "sts:AssumeRole");
        assert_eq!(asked(policy(json!({"AWS": ROLE}), json!({}))), Some(true));
        assert_eq!(asked(policy(json!({"AWS": ["x", "arn:aws:iam::123456789012:root"]}), json!({}))), Some(true));
        assert_eq!(asked(policy(json!({"AWS": ROLE}), json!({"Condition": {"x": {}}}))), None);
        assert_eq!(asked(policy(json!({"AWS": ROLE}), json!({"Action": "sts:TagSession"}))), Some(false));
        assert_eq!(asked(policy(json!({"AWS": ROLE}), json!({"Effect": "Deny"}))), None);
        assert_eq!(asked(policy(json!({"Service": "ec2.amazonaws.com"}), json!({}))), Some(false));
    }
}
