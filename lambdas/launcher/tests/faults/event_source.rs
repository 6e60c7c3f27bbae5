//! Lambda's event source mapping on the queue: two batches at a time, each to an instance that is idle or new; what succeeded
//! is deleted, what failed stays until it is visible again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use crate::clock;
use crate::instance::Instance;
use crate::queue::Batch;
use crate::world::World;

/// Terraform's `maximum_concurrency`.
const CONCURRENCY: usize = 2;
const COLD_START: (Duration, Duration) = (Duration::from_millis(80), Duration::from_millis(400));
const LIFETIME: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(2 * 3600));
/// How often Lambda makes a new instance although one is idle.
const NEW_ALL_THE_SAME: f64 = 0.02;

type Idle = Arc<Mutex<Vec<Instance>>>;

/// Takes from the queue as long as the world is.
pub fn begin(world: &Arc<World>) {
    let idle = Idle::default();
    for _ in 0..CONCURRENCY {
        let (world, idle) = (world.clone(), idle.clone());
        tokio::spawn(async move {
            loop {
                let batch = world.queue.receive(&world).await;
                let instance = instance(&world, &idle).await;
                if process(&world, &instance, batch).await {
                    idle.lock().unwrap().push(instance);
                }
            }
        });
    }
}

async fn instance(world: &Arc<World>, idle: &Idle) -> Instance {
    let warm = {
        let mut idle = idle.lock().unwrap();
        idle.retain(|instance| instance.until > clock::now());
        if world.dice.chance(NEW_ALL_THE_SAME) { None } else { idle.pop() }
    };
    match warm {
        Some(instance) => instance,
        None => {
            sleep(world.dice.between(COLD_START.0, COLD_START.1)).await;
            Instance::new(world, world.dice.any_magnitude(LIFETIME.0, LIFETIME.1))
        }
    }
}

/// Hands over a batch. Answers whether the instance lives.
async fn process(world: &Arc<World>, instance: &Instance, batch: Batch) -> bool {
    let messages: Vec<_> = batch
        .records
        .iter()
        .zip(&batch.triggers)
        .map(|(record, trigger)| (record.message_id.clone(), record.receipt_handle.clone().unwrap(), *trigger))
        .collect();
    let Some(response) = instance.invoke(world, batch.records).await else {
        return false;
    };
    for (id, receipt, trigger) in messages {
        let failed = response.batch_item_failures.iter().any(|failure| Some(&failure.item_identifier) == id.as_ref());
        if failed || world.faults.strikes(&world.dice, "message not deleted", |rates| rates.delete_lost) {
            continue;
        }
        world.queue.delete(world, &receipt, trigger);
    }
    true
}
