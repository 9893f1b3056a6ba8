/* Documents that contradict themselves are refused, one by one, with the part and the remedy; see
 * model/rules.h. */
#include "model/rules.h"

#include <string.h>

static const char head[] = "<domain type='qemu'><name>web1</name><memory>65536</memory>";

typedef struct Case {
	const char *os, *parts, *devices;
	const char *says; /* of the message; NULL: it is fine */
} Case;

#define PC "<type arch='x86_64' machine='pc'>hvm</type>"
#define Q35 "<type arch='x86_64' machine='q35'>hvm</type>"
#define CELLS                                                                                      \
	"<cpu><numa><cell id='0' cpus='0' memory='1024'/><cell id='1' cpus='1' "                   \
	"memory='1024'/></numa></cpu>"
#define SPICE_GL "<graphics type='spice'><gl enable='yes'/></graphics>"
#define MDEV(more)                                                                                 \
	"<hostdev mode='subsystem' type='mdev' model='vfio-pci'" more                              \
	"><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"
#define DISK(more) "<disk type='file'>" more "</disk>"

static const Case cases[] = {
	{ PC, CELLS, DISK("<source file='/a'/><target dev='vda' bus='virtio'/>"), NULL },
	/* the CPU */
	{ PC, "<cpu><cache level='2' mode='emulate'/></cpu>", "", "level=\"3\"" },
	{ PC, "<cpu><cache mode='passthrough'/></cpu>", "", "host-passthrough" },
	{ PC, "<cpu mode='host-passthrough'><cache level='3' mode='passthrough'/></cpu>", "",
	  "no level" },
	{ PC, "<cpu><cache level='3' mode='emulate'/></cpu>", "", NULL },
	{ PC, "<cpu><maxphysaddr mode='emulate'/></cpu>", "", "needs bits" },
	{ PC, "<cpu mode='maximum'><maxphysaddr mode='passthrough' bits='42'/></cpu>", "",
	  "remove bits" },
	{ PC,
	  "<cpu><numa><cell id='1' cpus='0' memory='1'/><cell id='2' cpus='1' "
	  "memory='1'/></numa></cpu>",
	  "", "too high" },
	{ PC, "<cpu><numa><cell cpus='0' memory='1' memAccess='both'/></numa></cpu>", "",
	  "memAccess" },
	/* memory */
	{ PC,
	  "<memoryBacking><hugepages><page size='2048' nodeset='1'/></hugepages></memoryBacking>",
	  "", "no NUMA cell 1" },
	{ PC,
	  CELLS
	  "<memoryBacking><hugepages><page size='2048' nodeset='1'/></hugepages></memoryBacking>",
	  "", NULL },
	{ PC,
	  "<memoryBacking><hugepages><page size='1048576'/><page size='2048' "
	  "nodeset='0'/></hugepages>"
	  "</memoryBacking>",
	  "", "a second size" },
	{ PC, CELLS,
	  "<memory model='dimm'><target><size>1024</size><node>2</node></target></memory>",
	  "2 NUMA cells" },
	{ PC, "<numatune><memnode cellid='0' mode='strict' nodeset='0'/></numatune>", "",
	  "needs <cpu>" },
	{ PC,
	  CELLS
	  "<numatune><memory mode='restrictive' nodeset='0'/><memnode cellid='0' mode='strict' "
	  "nodeset='0'/></numatune>",
	  "", "restrictive" },
	{ PC, "<numatune><memory mode='strict' placement='static'/></numatune>", "",
	  "needs nodeset" },
	/* scheduling */
	{ PC,
	  "<cputune><vcpusched vcpus='0-2' scheduler='fifo' priority='1'/>"
	  "<vcpusched vcpus='2' scheduler='rr' priority='1'/></cputune>",
	  "", "another one" },
	{ PC,
	  "<iothreads>1</iothreads><cputune><iothreadsched iothreads='2' "
	  "scheduler='batch'/></cputune>",
	  "", "no iothread 2" },
	/* firmware, machine, tables */
	{ PC "<loader stateless='no'>/bios.bin</loader>", "", "", "BIOS has no variables" },
	{ PC "<loader readonly='yes' type='pflash'/>", "", "", "names no file" },
	{ PC "<loader readonly='yes' stateless='yes' type='pflash'>/c</loader><nvram>/v</nvram>",
	  "<features><acpi/></features>", "", "stateless" },
	{ Q35 "<loader readonly='yes' type='pflash'>/c</loader>", "", "", "needs ACPI" },
	{ PC, "<features><smm state='on'><tseg unit='MiB'>48</tseg></smm></features>", "", "q35" },
	{ Q35, "<features><smm state='on'><tseg unit='KiB'>12</tseg></smm></features>", "",
	  "1 MiB" },
	{ PC,
	  "<sysinfo type='smbios'><bios><entry name='date'>999/999/123</entry></bios></sysinfo>",
	  "", "mm/dd/yyyy" },
	{ PC, "<sysinfo type='smbios'><bios><entry name='date'>04/01/2014</entry></bios></sysinfo>",
	  "", NULL },
	{ PC,
	  "<uuid>362d1fc1-df7d-193e-5c18-49a71bd1da66</uuid><sysinfo type='smbios'><system><entry "
	  "name='uuid'>a94b4335-6a14-8bc4-d6da-f7ea590b6816</entry></system></sysinfo>",
	  "", "is not the guest's" },
	{ PC, "<seclabel type='none' model='dac'/><seclabel type='none' model='dac'/>", "",
	  "a second one" },
	/* disks */
	{ PC, "", DISK("<source file='/a'/><target dev='vdb1' bus='virtio'/>"), "partition" },
	{ PC, "", DISK("<source file='/a'/><target dev='vda' bus='virtio'/><vendor>ME</vendor>"),
	  "scsi" },
	{ PC, "",
	  DISK("<source file='/a'/><target dev='sda' bus='usb'/><address type='pci' slot='6'/>"),
	  "type usb" },
	{ PC, "", DISK("<driver type='qcow2'/><source file='/a'/><target dev='hda'/><shareable/>"),
	  "share" },
	{ PC, "",
	  "<disk type='network'><source protocol='iscsi' name='i'><auth username='u'>"
	  "<secret type='ceph' usage='x'/></auth></source><target dev='vda'/></disk>",
	  "\"iscsi\"" },
	{ PC, "",
	  DISK("<driver type='vmdk'/><source file='/a'/><target dev='vda'/><encryption "
	       "format='luks'/>"),
	  "not encrypted" },
	{ PC, "",
	  DISK("<source file='/a'/><target dev='sda' bus='scsi'/>") "<hostdev mode='subsystem' "
								    "type='scsi'><source><adapter "
								    "name='scsi_host0'/><address "
								    "bus='0' target='0' "
								    "unit='0'/></source><address "
								    "type='drive' controller='0' "
								    "bus='0' target='0' "
								    "unit='0'/></hostdev>",
	  "disk sda" },
	/* what no row knows */
	{ PC, "<features><hpt resizing='enabled'/></features>", "", "pseries" },
	{ PC, "",
	  "<rng model='virtio'><backend model='random'>/dev/random</backend><address type='pci' slot='9'>"
	  "<zpci uid='1' fid='1'/></address></rng>",
	  "s390x" },
	{ PC, "",
	  DISK("<source file='/a'><encryption format='luks'><cipher name='aes' size='256'/></encryption>"
	       "</source><target dev='vda'/>"),
	  "says how it is encrypted" },
	{ PC, "",
	  DISK("<source file='/a'><seclabel model='dac' relabel='no'/><seclabel relabel='no' model='dac'/>"
	       "</source><target dev='vda'/>"),
	  "of one model" },
	{ PC, "",
	  DISK("<source file='/a'><seclabel model='dac' relabel='no'/><seclabel model='selinux' "
	       "relabel='no'/></source><target dev='vda'/>"),
	  NULL },
	/* devices */
	{ PC, "",
	  "<serial type='unix'><source mode='bind' path='/a'><reconnect "
	  "enabled='yes'/></source></serial>",
	  "reconnects" },
	{ PC, "",
	  "<rng model='virtio'><backend model='egd' type='unix'><source "
	  "mode='connect'/></backend></rng>",
	  "no path" },
	{ PC, "", "<serial type='pty'><target type='sclp-serial'/></serial>", "sclp-serial" },
	{ PC, "", MDEV("") MDEV(""), "already" },
	{ PC, "", MDEV(" display='on'"), "<graphics>" },
	{ PC, "", "<graphics type='sdl'/><graphics type='egl-headless'/>", "vnc or spice" },
	{ PC, "", SPICE_GL "<graphics type='egl-headless'/>", "OpenGL" },
	{ PC, "", "<graphics type='egl-headless'/>", NULL },
	{ PC, "", "<video><model type='none'/></video><video><model type='vga'/></video>",
	  "the only one" },
	{ PC, "", "<input type='keyboard' bus='virtio' model='virtio-transitional'/>",
	  "transitional" },
	{ PC, "", "<controller type='usb' index='0' model='nec-xhci' ports='16'/>", "15 ports" },
	{ PC, "",
	  "<controller type='usb' index='0' model='ich9-uhci2'><master "
	  "startport='2'/></controller>",
	  "ich9-ehci1" },
	{ PC, "", "<controller type='pci' index='1' model='pci-root'/>", "index 0" },
	{ PC, "",
	  "<controller type='pci' index='0' model='pci-root'/><controller type='pci' index='1' "
	  "model='pci-bridge'/><controller type='pci' index='2' model='pci-expander-bus'>"
	  "<address type='pci' bus='1' slot='1'/></controller>",
	  "cannot be plugged" },
	{ PC, "", "<iommu model='intel'/>", "q35" },
	{ Q35, "", "<iommu model='virtio'/>", "ACPI" },
	{ PC, "",
	  "<filesystem><driver type='virtiofs'/><source dir='/a'/><target dir='t'/><readonly/>"
	  "</filesystem>",
	  "virtiofs" },
	{ PC, "", "<filesystem fmode='0888'><source dir='/s'/><target dir='a'/></filesystem>", "octal" },
	{ PC, "", "<filesystem dmode='1777'><source dir='/s'/><target dir='a'/></filesystem>", "octal" },
	{ PC, "", "<filesystem fmode='640'><source dir='/s'/><target dir='a'/></filesystem>", NULL },
	{ PC, "", "<shmem name='s'><msi/></shmem>", "<server>" },
	{ PC, "",
	  "<interface type='user'><model type='virtio'/><driver rx_queue_size='1000'/></interface>",
	  "powers of two" },
	{ PC, "", "<interface type='user'><coalesce><rx><frames max='5'/></rx></coalesce></interface>",
	  "<coalesce>" },
	{ PC, "",
	  "<interface type='bridge'><source bridge='b'/><coalesce><rx><frames max='5'/></rx></coalesce>"
	  "</interface>", NULL },
};

static void test_rules(void)
{
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *xml = g_strconcat(head, "<os>", cases[i].os, "</os>",
						   cases[i].parts, "<devices>", cases[i].devices,
						   "</devices></domain>", NULL);
		g_autoptr(Guest) guest = guest_from_xml(xml, -1, NULL, NULL, &error);
		g_assert_no_error(error);
		gboolean ok = guest_rules(guest, &error);
		g_test_message("%s%s: %s", cases[i].parts, cases[i].devices,
			       error ? error->message : "fine");
		g_assert_cmpint(ok, ==, cases[i].says == NULL);
		if (cases[i].says)
			g_assert_nonnull(strstr(error->message, cases[i].says));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/rules", test_rules);
	return g_test_run();
}
