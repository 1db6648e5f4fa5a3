//! Jmix, as documented on the page "Files API".

mod entity;
mod error;
mod handler;
mod reference;
mod route;
mod wire;

use async_trait::async_trait;

use crate::auth::{Right, token};
use crate::dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
use crate::host::Host;
pub use entity::{AttributeType, Entity};
use route::Route;

/// Upload by form or as it is, references to files, and entities that hold such references.
#[derive(Clone, Debug, Default)]
pub struct Jmix {
    entities: Vec<Entity>,
}

impl Jmix {
    /// Where the page has it.
    pub const MOUNT: &'static str = "/rest";

    /// With these entities; every other name is unknown.
    pub fn new(entities: Vec<Entity>) -> Self {
        Self { entities }
    }

    fn entity(&self, name: &str) -> Result<&Entity, Fault> {
        let found = self.entities.iter().find(|entity| entity.name == name);
        found.ok_or_else(|| error::unknown_entity(name))
    }
}

#[async_trait]
impl Dialect for Jmix {
    type Route = Route;

    fn name(&self) -> &'static str {
        "jmix"
    }

    fn route(&self, head: Head<'_>) -> Result<Route, Fault> {
        route::of(head)
    }

    fn access(&self, route: &Route) -> Right {
        match route {
            Route::Upload(_) | Route::Create(_) | Route::Update(..) | Route::Remove(..) => {
                Right::Write
            }
            Route::Download(_) | Route::Load(..) => Right::Read,
        }
    }

    fn credentials<'a>(&self, head: Head<'a>) -> filestore::Result<Credentials<'a>> {
        let token = token::bearer(head.headers())?;
        Ok(token.map_or(Credentials::None, Credentials::Token))
    }

    async fn handle(&self, route: Route, call: Call<'_>) -> Result<Answer, Fault> {
        match route {
            Route::Upload(name) => handler::upload(call, name).await,
            Route::Download(wanted) => handler::download(call, wanted).await,
            Route::Create(entity) => handler::create(call, self.entity(&entity)?).await,
            Route::Load(entity, id) => handler::load(call, self.entity(&entity)?, &id).await,
            Route::Update(entity, id) => handler::update(call, self.entity(&entity)?, &id).await,
            Route::Remove(entity, id) => handler::remove(call, self.entity(&entity)?, &id).await,
        }
    }

    fn render(&self, fault: &Fault, head: Head<'_>, _: &Host) -> Answer {
        error::render(fault, head)
    }
}
