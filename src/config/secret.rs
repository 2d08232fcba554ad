// SPDX-License-Identifier: Apache-2.0

//! Secrets: `{ env = "NAME" }`, `{ file = "path" }`, or (with a warning) the text itself. None is ever shown.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretBox, SecretString};

use super::finding::{Findings, Place};
use super::read::Value;

/// Bytes of a key that encrypts personal data.
pub const DATA_KEY_BYTES: usize = 32;
/// Characters below which an ops token is called short.
const OPS_TOKEN_CHARS_MIN: usize = 16;
/// Bytes below which a Standard Webhooks secret is called short.
const WEBHOOK_SECRET_BYTES_MIN: usize = 24;
/// Different characters below which a secret is called uniform.
const VARIETY_MIN: usize = 6;
/// What stands in examples, and is tried by whoever knows them.
const PLACEHOLDERS: [&str; 4] = ["changeme", "change-me", "change_me", "password"];
/// What precedes the base64 of a Standard Webhooks secret (`docs/src/contract/signatures.md`).
const WEBHOOK_SECRET_PREFIX: &str = "whsec_";
/// Where systemd says that a service's credentials are.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// `LoadCredential=ticketbridge:FOLDER` of `packaging/systemd`: systemd puts it before the name of each file.
const CREDENTIALS_PREFIX: &str = "ticketbridge_";
/// Stands for a secret that is not set where a configuration is only checked, so that the rest can be checked too.
const STAND_IN: &str = "whsec_c3RhbmRzIGluIGZvciBhIHNlY3JldCB0aGF0IGlzIG5vdCBzZXQ=";

/// The environment variables that a configuration may name.
#[derive(Clone, Debug, Default)]
pub enum Environment {
    /// Those of this process; what is no variable may be a credential of the service (systemd's `LoadCredential=`) by the same name.
    #[default]
    Process,
    /// These alone, for tests.
    Only(BTreeMap<String, String>),
}

impl Environment {
    /// These variables and no others.
    pub fn only<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        Self::Only(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
    /// A variable; an empty one counts as not set.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match self {
            Environment::Process => std::env::var(name).ok().filter(|text| !text.trim().is_empty()).or_else(|| {
                let folder = std::env::var_os(CREDENTIALS_VARIABLE)?;
                credential(Path::new(&folder), name)
            }),
            Environment::Only(variables) => variables.get(name).cloned(),
        };
        value.filter(|text| !text.trim().is_empty())
    }

    /// A credential by the name of a variable that is there and cannot be read, and why.
    fn unreadable(&self, name: &str) -> Option<(PathBuf, std::io::ErrorKind)> {
        let folder = match self {
            Environment::Process => std::env::var_os(CREDENTIALS_VARIABLE)?,
            Environment::Only(_) => return None,
        };
        credential_files(Path::new(&folder), name).into_iter().find_map(|place| match std::fs::read_to_string(&place) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Some((place, error.kind())),
            Ok(_) | Err(_) => None,
        })
    }
}

/// A credential by the name of a variable. One of a folder that was loaded as a whole has the unit's name before it.
fn credential(folder: &Path, name: &str) -> Option<String> {
    let text = credential_files(folder, name).iter().find_map(|place| std::fs::read_to_string(place).ok())?;
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// Where it may stand.
fn credential_files(folder: &Path, name: &str) -> [PathBuf; 2] {
    [folder.join(name), folder.join(format!("{CREDENTIALS_PREFIX}{name}"))]
}

/// For what a configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To say what is wrong with it, perhaps on another machine than the one it is meant for.
    Check,
    /// To run with it: everything it names must be there.
    Serve,
    /// To play a recording to it: of its secrets only the key that opens the recording must be there, the others are replaced.
    Replay,
    /// To do something with its database on the same machine: no partner is called, and no secret of theirs is needed.
    Host,
}

/// What a secret is for; it decides how one is made and when it is called weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretUse {
    /// Encrypts personal data.
    DataKey,
    /// Opens the ops interface.
    OpsToken,
    /// Shared with a partner.
    Partner,
    /// Given out by a partner for an application of ours.
    Issued,
    /// Holds the database's password.
    DatabaseUrl,
}

impl SecretUse {
    fn export(self, name: &str) -> String {
        match self {
            SecretUse::DataKey => format!(
                "for a new database run: export {name}=$(openssl rand -base64 32), and keep it; one that holds data already is read with the \
                 key that was kept only: export {name}='…'"
            ),
            SecretUse::OpsToken => format!("run: export {name}=$(openssl rand -base64 32)"),
            SecretUse::Partner => format!(
                "run: export {name}='…' with the secret that the partner gave you (to make a Standard Webhooks secret \
                 for both sides: export {name}=whsec_$(openssl rand -base64 32))"
            ),
            SecretUse::Issued => {
                format!("run: export {name}='…' with the secret that the partner's console shows for the application")
            }
            SecretUse::DatabaseUrl => format!("run: export {name}='postgres://user:password@host/name'"),
        }
    }
}

/// Reads secrets, and remembers which of them are not set in this environment.
pub(super) struct Secrets<'a> {
    environment: &'a Environment,
    directory: &'a Path,
    unset: RefCell<Vec<Unset>>,
}

struct Unset {
    place: Place,
    key: String,
    variable: String,
    usage: SecretUse,
}

/// A secret as far as it is known.
pub(super) enum Secret {
    /// It is this.
    Known(SecretString),
    /// It is named and not set here; the finding is made by [`Secrets::report_unset`].
    NotSet,
}

impl Secret {
    /// The secret, or what stands in for it.
    pub(super) fn or_stand_in(self) -> SecretString {
        match self {
            Secret::Known(secret) => secret,
            Secret::NotSet => STAND_IN.into(),
        }
    }
}

impl<'a> Secrets<'a> {
    pub(super) fn new(environment: &'a Environment, directory: &'a Path) -> Self {
        Self { environment, directory, unset: RefCell::default() }
    }

    /// The secret at `value`; `None`, with a finding, when what stands there cannot be one.
    pub(super) fn read(&self, value: &Value<'_>, usage: SecretUse) -> Option<Secret> {
        let secret = if value.raw().is_str() {
            let literal = value.clone().text()?;
            value.warn(
                "is a secret in clear text",
                "move it out of the file: `{ env = \"NAME\" }` or `{ file = \"path\" }`",
            );
            literal
        } else if let Some(table) = value.as_table() {
            let (env, file) = (table.opt("env", Value::text), table.opt("file", Value::text));
            table.finish();
            match (env, file) {
                (Some(variable), None) if !is_variable(&variable) => {
                    // It may be the secret itself, which is not to be shown.
                    return value.wrong("does not name a variable", "write `{ env = \"NAME\" }`, of A-Z, 0-9 and _");
                }
                (Some(variable), None) => match self.environment.get(&variable) {
                    Some(secret) => secret.trim().to_owned(),
                    None => {
                        let (place, key) = (value.place(), value.name().to_owned());
                        self.unset.borrow_mut().push(Unset { place, key, variable, usage });
                        return Some(Secret::NotSet);
                    }
                },
                (None, Some(path)) => self.read_file(value, &path)?,
                (Some(_), Some(_)) => return value.wrong("names both `env` and `file`", "keep one of them"),
                (None, None) if table.has("env") || table.has("file") => return None,
                (None, None) => {
                    return value.wrong("names no secret", "write `{ env = \"NAME\" }` or `{ file = \"path\" }`");
                }
            }
        } else {
            return value.wrong(
                format_args!("is of type {}, not a secret", value.raw().type_str()),
                "write `{ env = \"NAME\" }` or `{ file = \"path\" }`",
            );
        };
        // A code that a place shows to everybody who comes is short; nobody signs with it.
        let is_key = !value.name().ends_with("_code");
        if let Some(weakness) = weakness(&secret, usage).filter(|_| is_key) {
            let mend = match usage {
                SecretUse::Issued => "let the partner's console make a new one",
                SecretUse::DataKey | SecretUse::OpsToken | SecretUse::Partner | SecretUse::DatabaseUrl => {
                    "make a new one: openssl rand -base64 32"
                }
            };
            value.warn(format_args!("is a weak secret: {weakness}"), mend);
        }
        Some(Secret::Known(secret.into()))
    }

    fn read_file(&self, value: &Value<'_>, path: &str) -> Option<String> {
        let whole: PathBuf = self.directory.join(path);
        match std::fs::read_to_string(&whole) {
            Ok(text) if text.trim().is_empty() => {
                value.wrong(format_args!("names the file `{path}`, which is empty"), "put the secret into it")
            }
            Ok(text) => Some(text.trim().to_owned()),
            Err(error) => value.wrong(
                format_args!("names the file `{path}`, which cannot be read ({})", error.kind()),
                format!("put the secret into {}, readable for this user", whole.display()),
            ),
        }
    }

    /// Reports the variables that are not set: as problems where the configuration is to run, as warnings where it is only checked, which
    /// may be on another machine. How many of them are set changes nothing of that.
    pub(super) fn report_unset(&self, purpose: Purpose, findings: &Findings) {
        for Unset { place, key, variable, usage } in self.unset.borrow().iter() {
            // Nobody is to make a new key where the one that is meant is there.
            // A replay needs the key that opens the file, and replaces all other secrets.
            let is_needed = purpose != Purpose::Replay || *usage == SecretUse::DataKey;
            if let Some((path, why)) = self.environment.unreadable(variable).filter(|_| is_needed) {
                let sentence = format!("`{key}` is the credential {}, which cannot be read ({why})", path.display());
                findings.problem(place.clone(), sentence, "let the user of the service read it");
                continue;
            }
            let sentence = format!("`{key}` needs the variable {variable}, which is not set");
            match purpose {
                Purpose::Check => findings.warning(
                    place.clone(),
                    format!("{sentence} here; `serve` will not start without it"),
                    usage.export(variable),
                ),
                Purpose::Serve => findings.problem(place.clone(), sentence, usage.export(variable)),
                Purpose::Host => match usage {
                    SecretUse::DataKey | SecretUse::DatabaseUrl => {
                        findings.problem(place.clone(), sentence, usage.export(variable));
                    }
                    SecretUse::OpsToken | SecretUse::Partner | SecretUse::Issued => {}
                },
                Purpose::Replay => match usage {
                    SecretUse::DataKey => findings.problem(place.clone(), sentence, usage.export(variable)),
                    SecretUse::DatabaseUrl | SecretUse::OpsToken | SecretUse::Partner | SecretUse::Issued => {}
                },
            }
        }
    }
}

/// Whether the environment can have a variable of this name.
fn is_variable(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Why a secret is easy to guess; `None` when it is not.
fn weakness(secret: &str, usage: SecretUse) -> Option<String> {
    match usage {
        SecretUse::DatabaseUrl => return None,
        SecretUse::OpsToken if secret.chars().count() < OPS_TOKEN_CHARS_MIN => {
            return Some(format!("shorter than {OPS_TOKEN_CHARS_MIN} characters"));
        }
        SecretUse::DataKey | SecretUse::OpsToken | SecretUse::Partner | SecretUse::Issued => {}
    }
    let body = secret.strip_prefix(WEBHOOK_SECRET_PREFIX).unwrap_or(secret);
    let bytes = if body.len() == secret.len() { None } else { STANDARD.decode(body).ok() };
    if bytes.is_some_and(|bytes| bytes.len() < WEBHOOK_SECRET_BYTES_MIN) {
        return Some(format!("shorter than {WEBHOOK_SECRET_BYTES_MIN} bytes"));
    }
    let variety = body.chars().collect::<BTreeSet<_>>().len();
    if variety < VARIETY_MIN {
        return Some(format!("fewer than {VARIETY_MIN} different characters"));
    }
    let plain = body.to_ascii_lowercase();
    PLACEHOLDERS
        .iter()
        .find(|word| plain.contains(**word))
        .map(|word| format!("`{word}` is what everybody tries first"))
}

/// The data key that `secret` spells in base64.
pub(super) fn data_key(value: &Value<'_>, secret: &SecretString) -> Option<SecretBox<[u8; DATA_KEY_BYTES]>> {
    const MEND: &str = "make one: openssl rand -base64 32";
    let Ok(bytes) = STANDARD.decode(secret.expose_secret().trim()) else {
        return value.wrong("is not base64", MEND);
    };
    match <[u8; DATA_KEY_BYTES]>::try_from(bytes.as_slice()) {
        Ok(key) => Some(SecretBox::new(Box::new(key))),
        Err(_) => value.wrong(format_args!("has {} bytes where {DATA_KEY_BYTES} are needed", bytes.len()), MEND),
    }
}
