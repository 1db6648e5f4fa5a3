//! Statements that are sent together and answered together: one round trip.

use std::future::poll_fn;
use std::task::Poll;

use futures::future::{FutureExt, MaybeDone, maybe_done};
use tokio_postgres::{Client, Error, Row};

use crate::sql::Sql;

/// The rows of each statement of a flight, in order.
pub(crate) type Answers = std::vec::IntoIter<Vec<Row>>;

/// Sends all statements at once and waits for all answers; the first failure is the one that is
/// told, since those behind it follow from it.
pub(crate) async fn fly(client: &Client, flight: &[Sql]) -> Result<Answers, Error> {
    let mut calls: Vec<_> =
        flight.iter().map(|sql| maybe_done(call(client, sql).boxed())).collect();
    // A call sends its statement when it is polled first: the order here is the order on the wire.
    // One that cannot be sent must be the last, or a commit might follow that lacks it.
    poll_fn(|cx| {
        let mut is_pending = false;
        for call in &mut calls {
            is_pending |= call.poll_unpin(cx).is_pending();
            if matches!(call, MaybeDone::Done(Err(_))) {
                return Poll::Ready(());
            }
        }
        if is_pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let taken = calls.into_iter().filter_map(|call| match call {
        MaybeDone::Done(answer) => Some(answer),
        _ => None,
    });
    taken.collect::<Result<Vec<_>, _>>().map(Vec::into_iter)
}

async fn call(client: &Client, sql: &Sql) -> Result<Vec<Row>, Error> {
    if sql.is_script() {
        return client.batch_execute(sql.text()).await.map(|()| Vec::new());
    }
    // With the types of its parameters a statement needs no preparation: one round trip, and no
    // state of the connection that a pooler between here and there would have to know of.
    client.query_typed(&sql.numbered(), &sql.params()).await
}
