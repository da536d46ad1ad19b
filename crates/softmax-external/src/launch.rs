use std::str::FromStr;
use std::time::Duration;

/// How the process of a backend is started. It is parsed from `NAME=COMMAND`. The command is split into words as by a
/// shell, but no shell runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The backend's name.
    pub name: String,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// The time limit of the start and of each answer.
    pub time_limit: Duration,
}

/// A text that is not `NAME=COMMAND`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected NAME=COMMAND{0}")]
pub struct LaunchError(&'static str);

impl Launch {
    /// The default time limit.
    pub const TIME_LIMIT: Duration = Duration::from_secs(300);
}

impl FromStr for Launch {
    type Err = LaunchError;

    fn from_str(text: &str) -> Result<Self, LaunchError> {
        let (name, command) = text.split_once('=').ok_or(LaunchError(""))?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(LaunchError(" with a name of letters, digits, - _ and ."));
        }
        let command = shlex::split(command).ok_or(LaunchError(" with closed quotes"))?;
        if command.first().is_none_or(String::is_empty) {
            return Err(LaunchError(" with a command"));
        }
        Ok(Launch { name: name.to_owned(), command, time_limit: Launch::TIME_LIMIT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_into_words() {
        let launch: Launch = "mine=python3 'my backend.py' --fast=yes".parse().unwrap();
        assert_eq!((launch.name.as_str(), launch.command.len()), ("mine", 3));
        assert_eq!(launch.command[1..], ["my backend.py", "--fast=yes"]);
        for (text, part) in [
            ("mine", "NAME=COMMAND"),
            ("=x", "name"),
            ("a b=x", "name"),
            ("a=", "a command"),
            ("a='x", "quotes"),
        ] {
            let error = text.parse::<Launch>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
