//! Many calls at once, but not too many: AWS counts calls a second for the whole account, and others want some of them.

use std::future::Future;

use anyhow::Result;
use futures::stream::{StreamExt, TryStreamExt, iter};

/// CodeBuild and SSM let an account have some tens a second.
pub const AT_ONCE: usize = 16;

/// The answers in the order of `items`, or the first error.
pub async fn each<I, T, F>(items: impl IntoIterator<Item = I>, ask: impl Fn(I) -> F) -> Result<Vec<T>>
where
    F: Future<Output = Result<T>>,
{
    iter(items.into_iter().map(ask)).buffered(AT_ONCE).try_collect().await
}
