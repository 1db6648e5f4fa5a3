//! The load client of the comparison: one blocking thread a connection, keep-alive, bounded in time
//! and count. It reads a plan from standard input and prints what it measured, both as JSON.
//!
//! It knows nothing of any server: heads come ready-made in the plan, so that every server gets the
//! same client.

mod connection;
mod plan;
mod report;

use std::error::Error;
use std::io;
use std::process::ExitCode;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use connection::Connection;
use plan::Plan;
use report::{Report, Tally};

fn main() -> ExitCode {
    match run() {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Report, Box<dyn Error>> {
    let plan: Plan = serde_json::from_reader(io::stdin().lock())?;
    let block = plan.check()?;
    let (next, start) = (AtomicUsize::new(0), Barrier::new(plan.connections + 1));
    thread::scope(|scope| {
        let drive = || {
            let connection = Connection::open(plan.address, &block);
            start.wait();
            drive(&plan, connection?, &next)
        };
        let threads: Vec<_> = (0..plan.connections).map(|_| scope.spawn(drive)).collect();
        start.wait();
        let began = Instant::now();
        let mut all = Tally::default();
        for thread in threads {
            all.add(thread.join().map_err(|_| "a thread panicked")??);
        }
        Ok(Report::new(all, began.elapsed()))
    })
}

/// Takes one request after another until the plan or its time is over.
fn drive(plan: &Plan, mut connection: Connection<'_>, next: &AtomicUsize) -> io::Result<Tally> {
    let mut tally = Tally::default();
    let deadline = Instant::now() + Duration::from_secs_f64(plan.seconds);
    loop {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = plan.request(turn) else { return Ok(tally) };
        let began = Instant::now();
        if began >= deadline {
            return Ok(tally);
        }
        let answer = connection.exchange(request, turn)?;
        tally.count(request.size(), &answer, began);
    }
}
