"""Devices and their queue: one training at a time on each, across agents and clones."""

from lab.slots.devices import Device, accelerators, choose, platform_name
from lab.slots.entries import Entry
from lab.slots.folder import shared_folder
from lab.slots.queue import Lease, Queue, Ticket

__all__ = [
    "Device",
    "Entry",
    "Lease",
    "Queue",
    "Ticket",
    "accelerators",
    "choose",
    "platform_name",
    "shared_folder",
]
