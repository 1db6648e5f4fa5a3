//! Files: listed, searched, counted.

use filestore::{FileQuery, FileRecord};
use http::StatusCode;

use super::Project;
use crate::body::RequestBody;
use crate::dialect::{Answer, Fault};
use crate::dialects::cdf::Categories;
use crate::dialects::cdf::wire::{
    AggregateBody, Conditions, Count, File, Items, ListBody, SearchBody,
};
use crate::protocol::{Object, json};

impl Project<'_> {
    pub(super) async fn list(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let list: ListBody = self.read(body).await?;
        self.page(&list).await
    }

    /// A page may hold fewer files than it could, when some of those the store found do not fit
    /// after all; clients go on by the cursor.
    pub(super) async fn page(&self, list: &ListBody) -> Result<Answer, Fault> {
        let (query, conditions) = list.query()?;
        let page = self.files.list(&query).await?;
        let fitting = page.items.iter().filter(|record| self.fits(record, &conditions));
        let items = fitting.map(File::from).collect();
        let next_cursor = page.next.map(|cursor| cursor.as_str().to_owned());
        Ok(json(StatusCode::OK, &Items { items, next_cursor }))
    }

    pub(super) async fn search(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let body: SearchBody = self.read(body).await?;
        let (conditions, limit) = (body.conditions()?, body.limit()? as usize);
        // What does not fit is dropped afterwards, so that all candidates are wanted then.
        let wanted =
            if self.looks_closer(&conditions) { FileQuery::MAX_LIMIT as usize } else { limit };
        let found = self.files.search(body.text(), &conditions.all, wanted).await?;
        let fitting = found.iter().filter(|record| self.fits(record, &conditions));
        let files: Vec<File<'_>> = fitting.take(limit).map(File::from).collect();
        Ok(json(StatusCode::OK, &Items::from(files)))
    }

    pub(super) async fn aggregate(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let body: AggregateBody = self.read(body).await?;
        let conditions = match &body.filter {
            Some(Object(filter)) => filter.conditions()?,
            None => Conditions::default(),
        };
        let count = if self.looks_closer(&conditions) {
            self.count_fitting(&conditions).await?
        } else {
            self.files.count(&conditions.all).await?
        };
        Ok(json(StatusCode::OK, &Items::from(vec![Count { count }])))
    }

    async fn count_fitting(&self, conditions: &Conditions) -> filestore::Result<u64> {
        let mut count = 0;
        let all = conditions.all.clone();
        let mut query = FileQuery { all, after: None, limit: FileQuery::MAX_LIMIT };
        loop {
            let page = self.files.list(&query).await?;
            count +=
                page.items.iter().filter(|record| self.fits(record, conditions)).count() as u64;
            if page.next.is_none() {
                return Ok(count);
            }
            query.after = page.next;
        }
    }

    /// Whether more is asked of a file than the store can tell.
    fn looks_closer(&self, conditions: &Conditions) -> bool {
        conditions.place.is_some() || self.categories == Categories::Enforced
    }

    fn fits(&self, record: &FileRecord, conditions: &Conditions) -> bool {
        self.sees(record) && conditions.place.as_ref().is_none_or(|place| place.holds(record))
    }
}
