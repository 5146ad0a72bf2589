//! The sections of the authentication extensions, and how receivers and exporters name one. No message
//! shows a value of these sections.

use std::path::PathBuf;

use http::HeaderName;
use http::header::AUTHORIZATION;

use crate::config::{Field, Secret, Section};

/// An authentication extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settings {
    /// `bearertokenauth`: for receivers and exporters.
    Bearer(Bearer),
    /// `basicauth` with `htpasswd`: for receivers.
    Htpasswd(Htpasswd),
    /// `basicauth` with `client_auth`: for exporters.
    Client(Client),
}

/// `bearertokenauth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    /// `scheme`, before the token; may be empty.
    pub scheme: String,
    /// `header`, where it stands.
    pub header: HeaderName,
    /// `token`, or `tokens`: all are let in, the first is sent.
    pub tokens: Vec<Secret>,
    /// `filename`: a token a line, instead of those.
    pub filename: Option<PathBuf>,
}

/// `basicauth.htpasswd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Htpasswd {
    /// `file`.
    pub file: Option<PathBuf>,
    /// `inline`; wins over the file.
    pub inline: Option<Secret>,
}

/// `basicauth.client_auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// `username` or `username_file`.
    pub username: Text,
    /// `password` or `password_file`.
    pub password: Text,
}

/// A text, or the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// The text.
    Said(Secret),
    /// Its file.
    File(PathBuf),
}

/// Reads `bearertokenauth`.
pub fn bearer(section: &mut Section<'_>) -> Settings {
    let scheme = section.field("scheme").filter(|field| !field.is_null()).and_then(|field| scheme(&field));
    let header = section.field("header").filter(|field| !field.is_null()).and_then(|field| {
        let name = field.hidden().text()?.parse().ok();
        if name.is_none() {
            field.refuse_key("cannot be the name of a header", "letters, digits and - are usual");
        }
        name
    });
    let list = section.field("tokens").filter(|field| !field.is_null());
    let list = list.and_then(|field| field.hidden().list()).unwrap_or_default();
    let mut tokens: Vec<Secret> = list.iter().filter_map(Field::text).map(Secret::from).collect();
    let token = section.secret("token").filter(|token| !token.is_empty());
    if tokens.is_empty() {
        tokens.extend(token);
    }
    let filename = section.file("filename").filter(|path| !path.as_os_str().is_empty());
    match &filename {
        None if tokens.is_empty() => section.refuse("has no token", "token, tokens or filename"),
        Some(_) if !tokens.is_empty() => {
            section.without_effect(&[
                ("token", "the tokens of filename are used"),
                ("tokens", "the tokens of filename are used"),
            ]);
        }
        _ => {}
    }
    let scheme = scheme.unwrap_or_else(|| "Bearer".to_owned());
    Settings::Bearer(Bearer { scheme, header: header.unwrap_or(AUTHORIZATION), tokens, filename })
}

/// A word before the token, or nothing.
fn scheme(field: &Field<'_>) -> Option<String> {
    let text = field.hidden().text()?;
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~+".contains(c)) {
        field.refuse_key("is not the name of an authentication scheme", "one word, such as Bearer, or nothing: \"\"");
        return None;
    }
    Some(text)
}

/// Reads `basicauth`.
pub fn basic(section: &mut Section<'_>) -> Settings {
    let htpasswd = section.section("htpasswd").map(|mut section| Htpasswd {
        file: section.file("file").filter(|path| !path.as_os_str().is_empty()),
        inline: section.secret("inline").filter(|text| !text.is_empty()),
    });
    let client = section.section("client_auth").map(|mut section| client(&mut section));
    match (htpasswd, client) {
        (Some(htpasswd), None) => {
            if htpasswd == (Htpasswd { file: None, inline: None }) {
                section.refuse("htpasswd names nobody", "htpasswd.file or htpasswd.inline");
            }
            Settings::Htpasswd(htpasswd)
        }
        (None, Some(client)) => Settings::Client(client),
        (both, _) => {
            let wrong = if both.is_some() { "has htpasswd and client_auth" } else { "says nothing" };
            section.refuse(wrong, "htpasswd, for receivers, or client_auth, for exporters");
            Settings::Htpasswd(Htpasswd { file: None, inline: None })
        }
    }
}

fn client(section: &mut Section<'_>) -> Client {
    section
        .not_supported(&[("aws_secrets_manager", "username_file and password_file, which a secrets driver can write")]);
    let mut text = |said, file| match section.file(file).filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => {
            section.field(said);
            Text::File(path)
        }
        None => Text::Said(section.secret(said).unwrap_or_default()),
    };
    Client { username: text("username", "username_file"), password: text("password", "password_file") }
}

/// Reads `auth: { authenticator: id }` of a receiver's protocol or an exporter.
pub fn reference(section: &mut Section<'_>) -> Option<String> {
    let field = section.field("auth").filter(|field| !field.is_null())?;
    let mut auth = field.section()?;
    auth.not_supported(&[("request_params", "credentials stand in headers, which no log shows")]);
    auth.required("authenticator", "the id of an extension, such as bearertokenauth")?.text()
}
