// A client in pure Go, which speaks libvirt's protocol by itself (what Terraform's provider uses): drives a
// guest, a volume and a network, and ends with what does not fit. See test_libvirt_go.py.
package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/digitalocean/go-libvirt"
)

func must(err error, what string) {
	if err != nil {
		fmt.Println(what+":", err)
		os.Exit(1)
	}
}

func check(ok bool, what string) {
	if !ok {
		fmt.Println("wrong:", what)
		os.Exit(1)
	}
}

const guestXML = `<domain type='qemu'><name>go1</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64'>hvm</type></os></domain>`

const volumeXML = `<volume><name>go.raw</name><capacity>4194304</capacity>
<target><format type='raw'/></target></volume>`

const networkXML = `<network><name>go-net</name><ip address='10.98.76.1' netmask='255.255.255.0'>
<dhcp><range start='10.98.76.2' end='10.98.76.9'/></dhcp></ip></network>`

func guests(l *libvirt.Libvirt) {
	events, err := l.LifecycleEvents(context.Background())
	must(err, "events")
	guest, err := l.DomainDefineXML(guestXML)
	must(err, "define")
	must(l.DomainCreate(guest), "create")
	all, _, err := l.ConnectListAllDomains(1, libvirt.ConnectListDomainsActive)
	must(err, "list")
	check(len(all) == 1 && all[0].Name == "go1", "list of guests")
	state, most, _, cpus, _, err := l.DomainGetInfo(guest)
	must(err, "info")
	check(state == uint8(libvirt.DomainRunning) && most == 32768 && cpus == 1, "info")
	stats, err := l.ConnectGetAllDomainStats(all, 0, 0)
	must(err, "stats")
	check(len(stats) == 1 && len(stats[0].Params) > 5, "stats")
	must(l.DomainDestroy(guest), "destroy")
	for {
		event := <-events
		if event.Event == int32(libvirt.DomainEventStopped) {
			break
		}
	}
	must(l.DomainUndefine(guest), "undefine")
	_, err = l.DomainLookupByName("go1")
	check(libvirt.IsNotFound(err), "a guest that is gone")
}

func volumes(l *libvirt.Libvirt) {
	pool, err := l.StoragePoolLookupByName("default")
	must(err, "pool")
	volume, err := l.StorageVolCreateXML(pool, volumeXML, 0)
	must(err, "volume")
	data := bytes.Repeat([]byte("go and lodge "), 100000)
	must(l.StorageVolUpload(volume, bytes.NewReader(data), 0, uint64(len(data)), 0), "upload")
	var back bytes.Buffer
	must(l.StorageVolDownload(volume, &back, 0, uint64(len(data)), 0), "download")
	check(bytes.Equal(back.Bytes(), data), "what was uploaded")
	// it never said that it has read everything
	must(l.StorageVolDelete(volume, 0), "delete after a download")
}

func networks(l *libvirt.Libvirt) {
	network, err := l.NetworkDefineXML(networkXML)
	must(err, "network")
	must(l.NetworkUpdateCompat(network, libvirt.NetworkUpdateCommandAddLast, libvirt.NetworkSectionIPDhcpHost, -1,
		"<host mac='52:54:00:11:22:33' ip='10.98.76.5'/>", libvirt.NetworkUpdateAffectConfig), "update")
	xml, err := l.NetworkGetXMLDesc(network, 0)
	must(err, "network's xml")
	check(strings.Contains(xml, "10.98.76.5"), "what was added")
	must(l.NetworkUndefine(network), "network's end")
}

func main() {
	socket, err := net.Dial("unix", os.Args[1])
	must(err, "dial")
	l := libvirt.New(socket)
	must(l.Connect(), "connect")
	guests(l)
	volumes(l)
	networks(l)
	must(l.Disconnect(), "disconnect")
}
