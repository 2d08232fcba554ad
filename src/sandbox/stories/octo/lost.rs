// SPDX-License-Identifier: Apache-2.0

//! Stories in which something is lost on the way. The uuid is chosen before the first call, so that whatever became of it is looked up.

use std::time::Duration;

use super::script::Script;
use crate::octo::{Fault, Status, Write};
use crate::stories::script::Broken;

/// Plays one purchase in which this happens to the writes.
async fn one_booking(s: &mut Script, faults: &[(Write, Fault)]) -> Result<String, Broken> {
    let octo = s.octo()?;
    for (write, fault) in faults {
        octo.next(*write, *fault);
    }
    let later = s.stage.in_days(7);
    let (voucher, _) = s.ticketed(1, later).await?;
    s.check(octo.faults_left() == 0, "all of it went wrong as it should");
    s.sold_once(&voucher).await?;
    Ok(voucher)
}

pub(super) async fn reserve_answer(s: &mut Script) -> Result<(), Broken> {
    one_booking(s, &[(Write::Reserve, Fault::AnswerLost)]).await.map(drop)
}

pub(super) async fn late_reserve(s: &mut Script) -> Result<(), Broken> {
    let voucher = one_booking(s, &[(Write::Reserve, Fault::Late(Duration::from_secs(40)))]).await?;
    s.stated(60).await;
    let all = s.at_supplier(&voucher).await?;
    s.check(all.len() == 1, format!("the late one is the same booking (there are {})", all.len()));
    Ok(())
}

pub(super) async fn confirm_answer(s: &mut Script) -> Result<(), Broken> {
    one_booking(s, &[(Write::Confirm, Fault::AnswerLost)]).await.map(drop)
}

pub(super) async fn claimed(s: &mut Script) -> Result<(), Broken> {
    s.octo()?.next(Write::Confirm, Fault::Claimed);
    let later = s.stage.in_days(7);
    let voucher = s.buy(1).await?;
    let reservation = s.reserve(&voucher, later).await?;
    s.codes_at_douyin(&reservation).await?;
    let all = s.at_supplier(&voucher).await?;
    let is_sold = all.iter().all(|booked| booked.status == Status::Confirmed);
    s.check(is_sold && all.len() == 1, "the guest's codes are those of a booking that is sold");
    s.sold_once(&voucher).await
}

pub(super) async fn every_step(s: &mut Script) -> Result<(), Broken> {
    let faults = [
        (Write::Reserve, Fault::ErrorBefore),
        (Write::Reserve, Fault::AnswerCut(40)),
        (Write::Confirm, Fault::ErrorBefore),
        (Write::Confirm, Fault::Garbage),
    ];
    let voucher = one_booking(s, &faults).await?;
    let all = s.at_supplier(&voucher).await?;
    s.check(all.len() == 1, format!("at most one attempt was under way (there were {})", all.len()));
    Ok(())
}
