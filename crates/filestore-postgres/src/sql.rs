//! Statements with their parameters, and what comes back.

use std::fmt;
use std::sync::Arc;

use bytes::BytesMut;
use filestore::backend::TermHash;
use filestore::{BlobKey, ContentId, Digest, Error, FileId, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, FromSqlOwned, IsNull, ToSql, Type, to_sql_checked};

use crate::error::{DbResult, PgError};

/// A statement, or a piece of one.
///
/// Parameters are `$1`, `$2`, … for those that are bound one by one, or `?`, which get their numbers
/// when pieces are put together. No statement has both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sql {
    text: String,
    params: Vec<Param>,
    is_script: bool,
}

/// A value with its type: where the server is told the types, nothing needs to be prepared.
#[derive(Clone)]
struct Param(Arc<dyn ToSql + Send + Sync>, Type);

impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Sql {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// Several statements without parameters, which answer nothing.
    pub(crate) fn script(text: impl Into<String>) -> Self {
        Self { is_script: true, ..Self::new(text) }
    }

    pub(crate) fn is_script(&self) -> bool {
        self.is_script
    }

    pub(crate) fn bind<V: Value>(mut self, value: V) -> Self {
        self.params.push(Param(Arc::new(value), V::TYPE));
        self
    }

    pub(crate) fn then(mut self, more: Self) -> Self {
        self.text.push_str(&more.text);
        self.params.extend(more.params);
        self
    }

    pub(crate) fn and(self, more: Self) -> Self {
        self.then(Self::new(" AND ")).then(more)
    }

    pub(crate) fn and_all(self, more: impl IntoIterator<Item = Self>) -> Self {
        more.into_iter().fold(self, Self::and)
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text with every `?` numbered.
    pub(crate) fn numbered(&self) -> String {
        let mut numbered = String::with_capacity(self.text.len() + 2 * self.params.len());
        let mut pieces = self.text.split('?');
        numbered.push_str(pieces.next().unwrap_or_default());
        for (n, piece) in (1..).zip(pieces) {
            numbered.push_str(&format!("${n}{piece}"));
        }
        numbered
    }

    pub(crate) fn params(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.params.iter().map(|Param(value, type_)| (&**value as _, type_.clone())).collect()
    }
}

/// What can be a parameter.
pub(crate) trait Value: ToSql + Send + Sync + 'static {
    const TYPE: Type;
    const ARRAY: Type;
}

macro_rules! values {
    ($($rust:ty: $one:ident $many:ident;)*) => {$(
        impl Value for $rust {
            const TYPE: Type = Type::$one;
            const ARRAY: Type = Type::$many;
        }
    )*};
}

values! {
    bool: BOOL BOOL_ARRAY;
    i16: INT2 INT2_ARRAY;
    i32: INT4 INT4_ARRAY;
    i64: INT8 INT8_ARRAY;
    f64: FLOAT8 FLOAT8_ARRAY;
    String: TEXT TEXT_ARRAY;
    Vec<u8>: BYTEA BYTEA_ARRAY;
    Id: UUID UUID_ARRAY;
}

impl<T: Value> Value for Option<T> {
    const TYPE: Type = T::TYPE;
    const ARRAY: Type = T::ARRAY;
}

impl<T: Value> Value for Vec<T> {
    const TYPE: Type = T::ARRAY;
    const ARRAY: Type = T::ARRAY;
}

/// 128 bits, as a uuid of any version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(pub(crate) [u8; 16]);

macro_rules! ids {
    ($($id:ty),*) => {$(
        impl From<$id> for Id {
            fn from(id: $id) -> Self {
                Self(*id.as_bytes())
            }
        }
        impl From<Id> for $id {
            fn from(id: Id) -> Self {
                Self::from_bytes(id.0)
            }
        }
    )*};
}

ids!(FileId, ContentId, BlobKey);

impl From<TermHash> for Id {
    fn from(hash: TermHash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl ToSql for Id {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::UUID
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(type_: &Type) -> bool {
        *type_ == Type::UUID
    }
}

/// A column of a row.
pub(crate) fn get<T: FromSqlOwned>(row: &Row, at: usize) -> DbResult<T> {
    Ok(row.try_get(at)?)
}

/// A column that may be empty and becomes something else.
pub(crate) fn optional<T: FromSqlOwned, U>(
    row: &Row,
    at: usize,
    into: impl FnOnce(T) -> DbResult<U>,
) -> DbResult<Option<U>> {
    get::<Option<T>>(row, at)?.map(into).transpose()
}

/// A count as a column holds it.
pub(crate) fn int(value: u64) -> DbResult<i64> {
    i64::try_from(value).map_err(|_| Error::invalid("a number is greater than 2^63-1").into())
}

/// A count from a column.
pub(crate) fn uint(value: i64) -> DbResult<u64> {
    u64::try_from(value).map_err(|_| PgError::Damaged("a negative count"))
}

/// A small count from a column.
pub(crate) fn small(value: i64) -> DbResult<u32> {
    u32::try_from(value).map_err(|_| PgError::Damaged("a count out of bounds"))
}

/// A time as a column holds it; [`Timestamp::MAX`] fits.
pub(crate) fn millis(time: Timestamp) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A time from a column.
pub(crate) fn time(millis: i64) -> DbResult<Timestamp> {
    Ok(Timestamp::from_millis(uint(millis)?))
}

/// A span of time as a column holds it.
pub(crate) fn span(duration: std::time::Duration) -> i64 {
    // Half of what fits, so that no sum with a time overflows.
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 2)
}

/// A digest from a column.
pub(crate) fn digest(bytes: Vec<u8>) -> DbResult<Digest> {
    let bytes = bytes.try_into().map_err(|_| PgError::Damaged("a digest"))?;
    Ok(Digest::from_bytes(bytes))
}

/// The database has no text with this character, so that nothing can be equal to such a text.
pub(crate) fn is_text(text: &str) -> bool {
    !text.contains('\0')
}
