//! What a container starts.

use super::instance::CommandLines;
use super::program;
use super::shell::Variables;
use std::ffi::OsString;

/// rbldnsd's arguments in the words that the container `name` starts. Words that can only be
/// arguments are those of an image that starts rbldnsd.
///
/// # Errors
///
/// A script that is not well formed.
pub(super) fn arguments(
    name: &str,
    words: &[String],
    environment: &Variables,
    found: &mut CommandLines,
) -> anyhow::Result<Option<Vec<OsString>>> {
    let mut warnings = Vec::new();
    let arguments = match program::arguments(words, environment, &mut warnings)? {
        None if program::are_arguments(words) => {
            found.warn(format!("the image of {name} is taken to start rbldnsd"));
            words.to_vec()
        }
        None => return Ok(None),
        Some(arguments) => arguments,
    };
    warnings.into_iter().for_each(|warning| found.warn(warning));
    found.warn(
        "addresses and paths are those inside the container: keep its ports and volumes, or write \
         down those of the machine"
            .to_owned(),
    );
    Ok(Some(arguments.into_iter().map(OsString::from).collect()))
}
