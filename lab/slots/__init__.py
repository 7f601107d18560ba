"""Devices and their queue: one training at a time on each, across agents and clones."""

from .devices import WITHOUT_GPU, Device, accelerators, choose, driver, platform_name, settled
from .entries import Entry
from .folder import shared_folder
from .queue import Lease, Queue, Ticket

__all__ = [
    "WITHOUT_GPU",
    "Device",
    "Entry",
    "Lease",
    "Queue",
    "Ticket",
    "accelerators",
    "choose",
    "driver",
    "platform_name",
    "settled",
    "shared_folder",
]
