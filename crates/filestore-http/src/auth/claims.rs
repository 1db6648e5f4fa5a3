//! From the claims of a verified token to a [`Principal`].

use std::time::Duration;

use filestore::{Result, Subject, Tenant, Timestamp};
use serde_json::{Map, Value};

use super::principal::{Principal, Rights};
use super::refused;

/// Which claims of a key set's or an issuer's tokens mean what, and what holds without them.
/// Tokens signed with our own secret always use the default names.
#[derive(Clone, Debug)]
pub struct ClaimMapping {
    /// Name of the claim with the tenant; `tenant` by default.
    pub tenant: String,
    /// Name of the claim with the scope, a string of words or an array of them; `scope` by
    /// default.
    pub scope: String,
    /// The tenant of tokens that name none; without it they are refused, which is the default.
    pub default_tenant: Option<Tenant>,
    /// The rights of tokens that have no scope; without it they are refused, which is the default.
    pub default_rights: Option<Rights>,
}

impl Default for ClaimMapping {
    fn default() -> Self {
        Self {
            tenant: "tenant".to_owned(),
            scope: "scope".to_owned(),
            default_tenant: None,
            default_rights: None,
        }
    }
}

impl ClaimMapping {
    /// How tokens signed with our own secret are read: one tenant and every right suffice where
    /// nobody has thought about either.
    pub(super) fn of_own_tokens() -> Result<Self> {
        Ok(Self {
            default_tenant: Some(Tenant::new("default")?),
            default_rights: Some(Rights::ALL),
            ..Self::default()
        })
    }
}

/// What is demanded of the tokens of one kind of key.
#[derive(Debug)]
pub(super) struct ClaimRules {
    pub(super) mapping: ClaimMapping,
    pub(super) audiences: Vec<String>,
    pub(super) issuer: Option<String>,
    pub(super) origin: Origin,
    pub(super) leeway: Duration,
}

/// Whose key signed the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Our own secret: `iss` and `aud` may be left out, and the subject is `sub`.
    Own,
    /// A key set or an issuer: `iss` and `aud` must be there, and the subject is `iss|sub`, so
    /// that nobody there can take the name of a subject of ours.
    Foreign,
}

impl ClaimRules {
    /// The principal, and the moment the token ends.
    pub(super) fn check(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(Principal, Timestamp)> {
        let end = self.check_time(claims, now)?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        let principal = Principal {
            tenant: self.tenant(claims)?,
            subject: self.subject(claims)?,
            rights: self.rights(claims)?,
            security_categories: security_categories(claims)?,
        };
        Ok((principal, end))
    }

    fn check_time(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp> {
        let end = match claims.get("exp") {
            None => return Err(refused("the token has no exp")),
            Some(exp) => numeric_date(exp)
                .ok_or_else(|| refused("the token's exp is not a number"))?
                .after(self.leeway),
        };
        if now >= end {
            return Err(refused("the token has expired"));
        }
        if let Some(nbf) = claims.get("nbf") {
            let start = numeric_date(nbf)
                .ok_or_else(|| refused("the token's nbf is not a number"))?
                .before(self.leeway);
            if now < start {
                return Err(refused("the token does not hold yet"));
            }
        }
        Ok(end)
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<()> {
        match (claims.get("iss"), &self.issuer) {
            (None, _) if self.origin == Origin::Own => Ok(()),
            (Some(_), None) if self.origin == Origin::Own => Ok(()),
            (Some(Value::String(iss)), Some(expected)) if iss == expected => Ok(()),
            _ => Err(refused("the token is from another issuer")),
        }
    }

    /// A token that names audiences names one of ours (RFC 7519 section 4.1.3).
    fn check_audience(&self, claims: &Map<String, Value>) -> Result<()> {
        let is_ours = |aud: &Value| self.audiences.iter().any(|ours| aud == ours.as_str());
        let accepted = match claims.get("aud") {
            None => self.origin == Origin::Own,
            Some(Value::Array(all)) => all.iter().all(Value::is_string) && all.iter().any(is_ours),
            Some(one) => is_ours(one),
        };
        if !accepted {
            return Err(refused("the token is for another audience"));
        }
        Ok(())
    }

    fn tenant(&self, claims: &Map<String, Value>) -> Result<Tenant> {
        match (claims.get(&self.mapping.tenant), &self.mapping.default_tenant) {
            (Some(Value::String(text)), _) => {
                Tenant::new(text).map_err(|_| refused("the token's tenant is malformed"))
            }
            (Some(_), _) => Err(refused("the token's tenant is malformed")),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(refused("the token has no tenant")),
        }
    }

    fn subject(&self, claims: &Map<String, Value>) -> Result<Subject> {
        let sub = match claims.get("sub") {
            Some(Value::String(sub)) if !sub.is_empty() => sub,
            _ => return Err(refused("the token has no subject")),
        };
        let subject = match (self.origin, &self.issuer) {
            (Origin::Foreign, Some(issuer)) => Subject::new(&format!("{issuer}|{sub}")),
            _ => Subject::new(sub),
        };
        subject.map_err(|_| refused("the token's subject is malformed"))
    }

    fn rights(&self, claims: &Map<String, Value>) -> Result<Rights> {
        let malformed = || refused("the token's scope is malformed");
        match (claims.get(&self.mapping.scope), self.mapping.default_rights) {
            (Some(Value::String(scope)), _) => Ok(Rights::from_scope(scope)),
            (Some(Value::Array(words)), _) => {
                let words: Option<Vec<_>> = words.iter().map(Value::as_str).collect();
                Ok(Rights::from_scope(&words.ok_or_else(malformed)?.join(" ")))
            }
            (Some(_), _) => Err(malformed()),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(refused("the token has no scope")),
        }
    }
}

/// Seconds since 1970, perhaps with a fraction (RFC 7519 section 2). What lies before 1970 or
/// after the last moment is clamped.
fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = value.as_f64()?;
    Some(Timestamp::from_millis((seconds * 1000.0) as u64))
}

fn security_categories(claims: &Map<String, Value>) -> Result<Vec<i64>> {
    let malformed = || refused("the token's security categories are malformed");
    match claims.get("security_categories") {
        None => Ok(Vec::new()),
        Some(Value::Array(ids)) => ids.iter().map(|id| id.as_i64().ok_or_else(malformed)).collect(),
        Some(_) => Err(malformed()),
    }
}
