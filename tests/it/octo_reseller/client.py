# SPDX-License-Identifier: Apache-2.0
"""Buys from a bridge by the published client: client.py URL KEY."""

import datetime
import sys
import uuid

from octo_client import OctoClient, exceptions
from octo_client.models import ConfirmationUnitItem, UnitItem, UnitQuantity

url, key = sys.argv[1:]
client = OctoClient(url, key)
(supplier,) = client.get_suppliers()
assert client.get_supplier(supplier.id).name == "Lakeside Park"
assert "DAY" in [product.id for product in client.get_products(supplier.id)]
product = client.get_product(supplier.id, "DAY")
option = product.options[0]
unit = option.units[0]

first = datetime.date.today() + datetime.timedelta(days=20)
last = first + datetime.timedelta(days=2)
wanted = [UnitQuantity(id=unit.id, quantity=2)]
calendar = client.get_calendar(supplier.id, product.id, option.id, first, last, wanted)
assert [day.available for day in calendar] == [True, True, True], calendar
slots = client.availability_check(supplier.id, product.id, option.id, wanted, first, last)
slot = slots[0]

number = str(uuid.uuid4())
units = [UnitItem(unitId=unit.id, uuid=str(uuid.uuid4())) for _ in range(2)]
held = client.booking_reservation(supplier.id, number, product.id, option.id, slot.id, units, expiration_minutes=10)
assert held.status.value == "ON_HOLD" and held.utcExpiresAt is not None, held
client.extend_reservation(supplier.id, number, 20)
sold = client.booking_confirmation(supplier.id, number, reseller_reference="PY-1", contact_full_name="Ada Guest")
assert sold.status.value == "CONFIRMED" and sold.resellerReference == "PY-1", sold
codes = {option.deliveryValue for item in sold.unitItems for option in item.ticket.deliveryOptions}
assert len(codes) == 2, sold
read = client.get_booking(supplier.id, number)
assert [item.uuid for item in read.unitItems] == [unit.uuid for unit in units], read

named = client.booking_update(supplier.id, number, reseller_reference="PY-2", contact_full_name="Ada Guest")
assert named.resellerReference == "PY-2" and named.status.value == "CONFIRMED", named
for found in [
    client.list_bookings(supplier.id, reseller_reference="PY-2"),
    client.list_bookings(supplier.id, supplier_reference=sold.supplierReference),
    client.list_bookings(supplier.id, local_date=first),
    client.list_bookings(supplier.id, local_date_start=first, local_date_end=last),
]:
    assert [booking.uuid for booking in found] == [number], found

off = client.booking_cancellation(supplier.id, number, reason="the guest is ill")
assert off.status.value == "CANCELLED" and off.cancellation.refund.value == "FULL", off
# By start times: another time, another day and one unit more while it is kept; once it is sold, the visit stays.
boat = client.get_product(supplier.id, "BOAT").options[0]
assert boat.availabilityLocalStartTimes == ["10:00", "14:00"], boat
ten, two = client.availability_check(supplier.id, "BOAT", boat.id, [UnitQuantity(id=unit.id, quantity=1)], first, first)
number = str(uuid.uuid4())
item = UnitItem(unitId=unit.id, uuid=str(uuid.uuid4()))
held = client.booking_reservation(supplier.id, number, "BOAT", boat.id, two.id, [item], expiration_minutes=10)
moved = client.booking_update(supplier.id, number, availability_id=ten.id)
assert moved.availability.id == ten.id and moved.status.value == "ON_HOLD", moved
items = [ConfirmationUnitItem(unitId=unit.id, uuid=item.uuid), ConfirmationUnitItem(unitId=unit.id)]
more = client.booking_update(supplier.id, number, availability_id=ten.id.replace(str(first), str(last)), unit_items=items)
assert len(more.unitItems) == 2 and more.unitItems[0].uuid == item.uuid, more
sold = client.booking_confirmation(supplier.id, number, contact_full_name="Ada Guest")
assert sold.status.value == "CONFIRMED" and sold.availability.localDateTimeStart.hour == 10, sold
try:
    client.booking_update(supplier.id, number, availability_id=two.id)
    raise AssertionError("a sold booking was moved")
except exceptions.InvalidRequest:
    pass

try:
    client.get_booking(supplier.id, str(uuid.uuid4()))
    raise AssertionError("a booking that nobody made was found")
except exceptions.InvalidRequest:
    pass
try:
    OctoClient(url, "somebody-elses-key").get_suppliers()
    raise AssertionError("a wrong key was believed")
except exceptions.Unauthorized:
    pass
print("booked, read and cancelled")
