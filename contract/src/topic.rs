//! The topics that triggers are published to. SNS tells nothing of who published; who may publish where, IAM decides, so the
//! topic is as much of a sender as a trigger has.

use crate::ProjectName;
use crate::parameter::SEPARATOR;

/// A topic of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// The topic of the original article, on which any project may be named: `<config path>`.
    Shared,
    /// The topic of this project and no other: `<config path>--<project>`.
    Of(ProjectName),
}

impl Topic {
    /// The topic with the ARN `arn`, where `shared` is the ARN that the shared topic has or would have.
    #[must_use]
    pub fn of_arn(arn: &str, shared: &str) -> Option<Self> {
        match arn.strip_prefix(shared)? {
            "" => Some(Self::Shared),
            rest => ProjectName::parse(rest.strip_prefix(SEPARATOR)?).ok().map(Self::Of),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_known_by_its_whole_arn() {
        const SHARED: &str = "arn:aws:sns:eu-central-1:123456789012:iwomp-in-aws";
        assert_eq!(Topic::of_arn(SHARED, SHARED), Some(Topic::Shared));
        let demo = ProjectName::parse("demo").unwrap();
        assert_eq!(Topic::of_arn(&format!("{SHARED}--demo"), SHARED), Some(Topic::Of(demo)));
        for arn in [
            "",
            "arn:aws:sns:eu-central-1:123456789012:other",
            "arn:aws:sns:eu-west-1:123456789012:iwomp-in-aws",
            "arn:aws:sns:eu-central-1:999999999999:iwomp-in-aws--demo",
            &format!("{SHARED}--"),
            &format!("{SHARED}-demo"), // the shared topic of the pipeline iwomp-in-aws-demo
            &format!("{SHARED}demo"),
            &format!("{SHARED}--demo.fifo"),
            &format!("{SHARED}:demo"),
            &format!("x{SHARED}"),
        ] {
            assert_eq!(Topic::of_arn(arn, SHARED), None, "{arn}");
        }
    }
}
