"""polkit's place on a bus of its own, for tests: allows what the file ALLOWED has (lines of ACTION), and writes
down what it was asked. polkit_stub.py ALLOWED ASKED"""
import pathlib
import sys

import dbus
import dbus.mainloop.glib
import dbus.service
from gi.repository import GLib

NAME = "org.freedesktop.PolicyKit1"
ALLOWED, ASKED = map(pathlib.Path, sys.argv[1:3])


class Authority(dbus.service.Object):
    @dbus.service.method(f"{NAME}.Authority", in_signature="(sa{sv})sa{ss}us", out_signature="(bba{ss})")
    def CheckAuthorization(self, subject, action, details, flags, cancellation):
        kind, facts = subject
        with ASKED.open("a") as out:
            print(action, kind, int(facts["uid"]), int(facts["pid"]), int(facts["start-time"]), file=out)
        allowed = action in ALLOWED.read_text().split()
        return allowed, False, dbus.Dictionary({}, signature="ss")


dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.SystemBus()
authority = Authority(bus, f"/{NAME.replace('.', '/')}/Authority")
name = dbus.service.BusName(NAME, bus)
print("ready", flush=True)
GLib.MainLoop().run()
