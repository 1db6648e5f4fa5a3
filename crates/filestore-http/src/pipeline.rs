//! What becomes of a request that a dialect is asked: authenticate, route, authorize, handle, render.

use async_trait::async_trait;
use filestore::{Error, ErrorKind};
use http::{HeaderValue, StatusCode, header};

use crate::auth::{Authenticator, Principal, Right};
use crate::body::RequestBody;
use crate::dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
use crate::host::Host;

/// A dialect whatever its routes: only the whole pipeline crosses the pointer.
#[async_trait]
pub(crate) trait Mounted: Send + Sync {
    async fn serve(
        &self,
        host: &Host,
        authenticator: &dyn Authenticator,
        head: Head<'_>,
        body: &mut RequestBody,
    ) -> Answer;
}

#[async_trait]
impl<D: Dialect> Mounted for D {
    async fn serve(
        &self,
        host: &Host,
        authenticator: &dyn Authenticator,
        head: Head<'_>,
        body: &mut RequestBody,
    ) -> Answer {
        match run(self, host, authenticator, head, body).await {
            Ok(answer) => answer,
            Err(fault) => {
                log(self.name(), &fault);
                let mut answer = self.render(&fault, head, host);
                let status = answer.status();
                let headers = answer.headers_mut();
                if let Fault::Method(allowed) = fault {
                    headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
                }
                // RFC 9110, section 15.5.2, has it on every 401.
                if status == StatusCode::UNAUTHORIZED {
                    headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
                }
                answer
            }
        }
    }
}

async fn run<D: Dialect>(
    dialect: &D,
    host: &Host,
    authenticator: &dyn Authenticator,
    head: Head<'_>,
    body: &mut RequestBody,
) -> Result<Answer, Fault> {
    // Whoever is nobody learns nothing, not even which paths there are.
    let credentials = dialect.credentials(head)?;
    let principal = authenticate(credentials, authenticator, host, head).await?;
    let route = dialect.route(head)?;
    authorize(&principal, dialect.access(&route), credentials, host, head)?;
    let files = host.files(&principal);
    let redirects = host.redirecting.iter().any(|name| name == dialect.name());
    dialect.handle(route, Call { files, principal, head, body, host, redirects }).await
}

async fn authenticate(
    credentials: Credentials<'_>,
    authenticator: &dyn Authenticator,
    host: &Host,
    head: Head<'_>,
) -> filestore::Result<Principal> {
    match credentials {
        Credentials::None => Err(Error::new(ErrorKind::Unauthenticated, "a token is required")),
        Credentials::Token(token) | Credentials::Cookie(token) => {
            authenticator.authenticate(token).await
        }
        Credentials::Presigned => {
            let path = head.parts.uri.path();
            let verified = host.presigner.verify(head.method(), path, head.query());
            // A credential that is over is none, like a token that is.
            verified.map_err(|error| Error::new(ErrorKind::Unauthenticated, error.to_string()))
        }
    }
}

fn authorize(
    principal: &Principal,
    right: Right,
    credentials: Credentials<'_>,
    host: &Host,
    head: Head<'_>,
) -> filestore::Result<()> {
    let forbidden = |why| Err(Error::new(ErrorKind::Forbidden, why));
    let is_cookie = matches!(credentials, Credentials::Cookie(_));
    if is_cookie && right == Right::Write && host.is_foreign(head.parts) {
        return forbidden("a page of another origin may not write with a cookie");
    }
    if !principal.rights.allows(right) {
        return forbidden("the token does not carry this right");
    }
    Ok(())
}

fn log(dialect: &str, fault: &Fault) {
    match fault {
        Fault::Store(error)
            if matches!(
                error.kind(),
                ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::StorageFull
            ) =>
        {
            tracing::error!(dialect, ?error, "failed");
        }
        fault => tracing::debug!(dialect, status = fault.status().as_u16(), "refused"),
    }
}
