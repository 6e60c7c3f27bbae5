//! The images that builds run in: that ECR still has them. A build whose image is gone ends before the worker begins.

use std::collections::BTreeMap;

use anyhow::Result;
use aws_sdk_ecr::operation::describe_images::DescribeImagesError;
use aws_sdk_ecr::types::ImageIdentifier;
use contract::{Description, ProjectName};
use iwomp_aws::aws_error;

use super::{About, Finding, Look, Patient, look};
use crate::account::Account;

/// An image in ECR.
#[derive(Debug, PartialEq, Eq)]
struct Image<'a> {
    account: &'a str,
    region: &'a str,
    repository: &'a str,
    /// Begins with `sha256:` if it is a digest.
    tag: &'a str,
}

impl<'a> Image<'a> {
    /// `<account>.dkr.ecr.<region>.amazonaws.com/<repository>` and a tag or a digest. None: it is elsewhere.
    fn read(text: &'a str) -> Option<Self> {
        let (host, rest) = text.split_once('/')?;
        let (account, rest_of_host) = host.split_once(".dkr.ecr.")?;
        let (region, _) = rest_of_host.split_once('.')?;
        let (repository, tag) = rest.split_once('@').or_else(|| rest.rsplit_once(':'))?;
        Some(Self { account, region, repository, tag })
    }

    fn id(&self) -> ImageIdentifier {
        let id = ImageIdentifier::builder();
        match self.tag.starts_with("sha256:") {
            true => id.image_digest(self.tag).build(),
            false => id.image_tag(self.tag).build(),
        }
    }
}

pub fn looks<'a>(patient: &'a Patient<'_>, account: &'a Account) -> Vec<Look<'a>> {
    let described = &patient.pipeline.description;
    let of_projects = patient.images().into_iter().map(|(image, project)| (image, Some(project)));
    let mut users: BTreeMap<&str, Option<&ProjectName>> = of_projects.collect();
    users.insert(&described.worker_image, None);
    // CodeBuild's own are always there.
    users.retain(|image, _| !image.starts_with("aws/codebuild/"));
    let looks = users.into_iter().map(|(image, project)| {
        let about = About { check: "image", project };
        look(about, is_there(about, described, account, image))
    });
    looks.collect()
}

async fn is_there(about: About<'_>, described: &Description, account: &Account, text: &str) -> Result<Vec<Finding>> {
    let Some(image) = Image::read(text).filter(|image| image.region == described.region) else {
        let saw = format!("{text} is not in the ECR of this region: whether it is there cannot be told");
        return Ok(vec![about.unknown(saw, "pull it yourself, with the rights of the project's role")]);
    };
    let call = account.images.describe_images().registry_id(image.account).repository_name(image.repository);
    let is_there = match call.image_ids(image.id()).send().await {
        Ok(found) => !found.image_details().is_empty(),
        Err(error) if error.as_service_error().is_some_and(is_absence) => false,
        Err(error) => return Err(aws_error(error).context(format!("looking for the image {text}"))),
    };
    let to_do = match text.starts_with(&described.repository_url) {
        true => {
            "build and push it (docs/operations.md#renew-the-image), or set image_tags to one that is there, and terraform apply"
        }
        false => "push it, or name another image of the project, and terraform apply",
    };
    Ok(vec![match is_there {
        true => about.good(format!("{text} is there")),
        false => about.problem(format!("{text} is not there: no build can start"), to_do),
    }])
}

fn is_absence(error: &DescribeImagesError) -> bool {
    error.is_image_not_found_exception() || error.is_repository_not_found_exception()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_in_ecr_is_known_by_its_host() {
        let read = |text: &str| {
            let image = Image::read(text)?;
            Some([image.account, image.region, image.repository, image.tag].join(" "))
        };
        const HOST: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
        assert_eq!(read(&format!("{HOST}/team/x:1")), Some("123456789012 eu-central-1 team/x 1".to_owned()));
        assert_eq!(read(&format!("{HOST}/x@sha256:ab")), Some("123456789012 eu-central-1 x sha256:ab".to_owned()));
        assert_eq!(read("public.ecr.aws/docker/library/debian:12"), None);
        assert_eq!(read("debian"), None);
    }
}
