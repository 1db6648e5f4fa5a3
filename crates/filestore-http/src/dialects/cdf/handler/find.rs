//! Files: listed, searched, counted.

use std::collections::HashMap;

use filestore::{Cond, Extent, FileQuery, FileRecord};
use http::StatusCode;

use super::Project;
use crate::body::RequestBody;
use crate::dialect::{Answer, Fault};
use crate::dialects::cdf::wire::{
    AggregateBody, Conditions, Count, File, Items, ListBody, PlaceTest, SearchBody,
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
        let fitting = page.items.iter().filter(|record| conditions.fit(record));
        let items = fitting.map(File::from).collect();
        let next_cursor = page.next.map(|cursor| cursor.as_str().to_owned());
        Ok(json(StatusCode::OK, &Items { items, next_cursor }))
    }

    pub(super) async fn search(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let body: SearchBody = self.read(body).await?;
        let (conditions, limit) = (body.conditions()?, body.limit()? as usize);
        // What does not fit is dropped afterwards, so that all candidates are wanted then.
        let wanted = if conditions.place.is_some() { FileQuery::MAX_LIMIT as usize } else { limit };
        let found = self.files.search(body.text(), &conditions.all, wanted).await?;
        let fitting = found.iter().filter(|record| conditions.fit(record));
        let files: Vec<File<'_>> = fitting.take(limit).map(File::from).collect();
        Ok(json(StatusCode::OK, &Items::from(files)))
    }

    pub(super) async fn aggregate(&self, body: &mut RequestBody) -> Result<Answer, Fault> {
        let body: AggregateBody = self.read(body).await?;
        let conditions = match &body.filter {
            Some(Object(filter)) => filter.conditions()?,
            None => Conditions::default(),
        };
        let count = match conditions.place.as_ref().map(|place| (place, place.edges())) {
            None => self.files.count(&conditions.all).await?,
            Some((place, Some(edges))) => self.count_by_edges(&conditions, place, &edges).await?,
            Some((_, None)) => self.count_fitting(&conditions).await?,
        };
        Ok(json(StatusCode::OK, &Items::from(vec![Count { count }])))
    }

    /// Only the places whose boxes meet an edge of the rectangle are looked at. Of the others their
    /// boxes tell.
    async fn count_by_edges(
        &self,
        conditions: &Conditions,
        place: &PlaceTest,
        edges: &[Extent],
    ) -> filestore::Result<u64> {
        let within = |extent| {
            let others = conditions.all.iter().filter(|cond| !matches!(cond, Cond::Overlaps(_)));
            others.cloned().chain([Cond::Overlaps(extent)]).collect::<Vec<_>>()
        };
        let mut crossing = HashMap::new();
        for edge in edges {
            self.each(within(*edge), |record| {
                crossing.insert(record.id, conditions.fit(record));
            })
            .await?;
        }
        let boxed = self.files.count(&within(place.extent())).await?;
        let inside = boxed.saturating_sub(crossing.len() as u64);
        let sure = if place.is_outside() {
            self.files.count(&conditions.all).await?.saturating_sub(boxed)
        } else {
            inside
        };
        Ok(sure + crossing.into_values().map(u64::from).sum::<u64>())
    }

    async fn count_fitting(&self, conditions: &Conditions) -> filestore::Result<u64> {
        let mut count = 0;
        let all = conditions.all.clone();
        self.each(all, |record| count += u64::from(conditions.fit(record))).await?;
        Ok(count)
    }

    /// Shows all files for which the conditions hold to `look`.
    async fn each(
        &self,
        all: Vec<Cond>,
        mut look: impl FnMut(&FileRecord) + Send,
    ) -> filestore::Result<()> {
        let mut query = FileQuery { all, after: None, limit: FileQuery::MAX_LIMIT };
        loop {
            let page = self.files.list(&query).await?;
            page.items.iter().for_each(&mut look);
            if page.next.is_none() {
                return Ok(());
            }
            query.after = page.next;
        }
    }
}
