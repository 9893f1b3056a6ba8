/* Filters that are there on every host, under the names that libvirt's users know: what guests may be
 * held to without writing a filter. A definition of the same name takes the place of one of them.
 * Neighbours: filter_stock() is read by core/nwfilters.c when the daemon starts. */
#include "net/filter.h"

/* clean-traffic: a guest speaks with its own MAC and IP address only, and nothing but IPv4 and ARP.
 * Filters of the same chain are told apart by the rules' priorities. */
static const char *const documents[] = {
	/* allow-arp */
	"<filter name='allow-arp' chain='arp' priority='-500'>"
	"<uuid>49838914-68c5-5f53-a30e-2bc4bf66e385</uuid>"
	"<rule action='accept' direction='inout' priority='500'/>"
	"</filter>",
	/* allow-dhcp */
	"<filter name='allow-dhcp' chain='ipv4' priority='-700'>"
	"<uuid>42fbd9d3-518b-54c3-afc9-d336009599b1</uuid>"
	"<rule action='accept' direction='out' priority='100'><ip srcipaddr='0.0.0.0' "
	"dstipaddr='255.255.255.255' protocol='udp' srcportstart='68' dstportstart='67'/></rule>"
	"<rule action='accept' direction='in' priority='100'><ip protocol='udp' "
	"srcportstart='67' dstportstart='68'/></rule>"
	"</filter>",
	/* allow-dhcp-server */
	"<filter name='allow-dhcp-server' chain='ipv4' priority='-700'>"
	"<uuid>445bc1f5-b63f-57f1-9678-a4c26b541e47</uuid>"
	"<rule action='accept' direction='out' priority='100'><ip srcipaddr='0.0.0.0' "
	"dstipaddr='255.255.255.255' protocol='udp' srcportstart='68' dstportstart='67'/></rule>"
	"<rule action='accept' direction='in' priority='100'><ip srcipaddr='$DHCPSERVER' "
	"protocol='udp' srcportstart='67' dstportstart='68'/></rule>"
	"</filter>",
	/* allow-dhcpv6 */
	"<filter name='allow-dhcpv6' chain='ipv6' priority='-600'>"
	"<uuid>66e1de59-365b-5ca0-a87e-e965ab02e638</uuid>"
	"<rule action='accept' direction='out' priority='100'><ipv6 srcipaddr='fe80::' "
	"srcipmask='10' dstipaddr='ff02::1:2' protocol='udp' srcportstart='546' "
	"dstportstart='547'/></rule>"
	"<rule action='accept' direction='in' priority='100'><ipv6 protocol='udp' "
	"srcportstart='547' dstportstart='546'/></rule>"
	"</filter>",
	/* allow-dhcpv6-server */
	"<filter name='allow-dhcpv6-server' chain='ipv6' priority='-600'>"
	"<uuid>0059faa0-c101-5777-993d-bca2fa216ae3</uuid>"
	"<rule action='accept' direction='out' priority='100'><ipv6 srcipaddr='fe80::' "
	"srcipmask='10' dstipaddr='ff02::1:2' protocol='udp' srcportstart='546' "
	"dstportstart='547'/></rule>"
	"<rule action='accept' direction='in' priority='100'><ipv6 srcipaddr='$DHCPSERVER' "
	"protocol='udp' srcportstart='547' dstportstart='546'/></rule>"
	"</filter>",
	/* allow-incoming-ipv4 */
	"<filter name='allow-incoming-ipv4' chain='ipv4' priority='-700'>"
	"<uuid>358fd826-1f65-587b-a83f-e4aa547cd34b</uuid>"
	"<rule action='accept' direction='in' priority='500'/>"
	"</filter>",
	/* allow-incoming-ipv6 */
	"<filter name='allow-incoming-ipv6' chain='ipv6' priority='-600'>"
	"<uuid>914f6ef6-2364-51bc-9c16-a94b74327fea</uuid>"
	"<rule action='accept' direction='in' priority='500'/>"
	"</filter>",
	/* allow-ipv4 */
	"<filter name='allow-ipv4' chain='ipv4' priority='-700'>"
	"<uuid>6dc75e85-999b-5064-95a1-cfda14b2a658</uuid>"
	"<rule action='accept' direction='inout' priority='500'/>"
	"</filter>",
	/* allow-ipv6 */
	"<filter name='allow-ipv6' chain='ipv6' priority='-600'>"
	"<uuid>0e1332f0-3844-51d6-a5ff-0c77588c521e</uuid>"
	"<rule action='accept' direction='inout' priority='500'/>"
	"</filter>",
	/* clean-traffic */
	"<filter name='clean-traffic' chain='root'>"
	"<uuid>9b2838b8-0fe3-5abb-95b9-09cdc2c6d1fa</uuid>"
	"<filterref filter='no-mac-spoofing'/>"
	"<filterref filter='no-ip-spoofing'/>"
	"<rule action='accept' direction='out' priority='-650'><mac protocolid='ipv4'/></rule>"
	"<filterref filter='allow-incoming-ipv4'/>"
	"<filterref filter='no-arp-spoofing'/>"
	"<rule action='accept' direction='inout' priority='-500'><mac protocolid='arp'/></rule>"
	"<filterref filter='no-other-l2-traffic'/>"
	"<filterref filter='qemu-announce-self'/>"
	"</filter>",
	/* clean-traffic-gateway */
	"<filter name='clean-traffic-gateway' chain='root'>"
	"<uuid>d8b58b4d-2220-5ad7-88b1-38c9f761d5a1</uuid>"
	"<filterref filter='no-mac-spoofing'/>"
	"<filterref filter='no-ip-spoofing'/>"
	"<filterref filter='no-arp-spoofing'/>"
	"<rule action='accept' direction='inout' priority='-500'><mac protocolid='arp'/></rule>"
	"<rule action='accept' direction='in' priority='500'><mac "
	"srcmacaddr='$GATEWAY_MAC'/></rule>"
	"<rule action='accept' direction='out' priority='500'><mac "
	"dstmacaddr='$GATEWAY_MAC'/></rule>"
	"<filterref filter='no-other-l2-traffic'/>"
	"<filterref filter='qemu-announce-self'/>"
	"</filter>",
	/* no-arp-ip-spoofing */
	"<filter name='no-arp-ip-spoofing' chain='arp-ip' priority='-510'>"
	"<uuid>a8365dfd-5072-53e8-b070-9a97ca758e1d</uuid>"
	"<rule action='return' direction='out' priority='400'><arp arpsrcipaddr='$IP'/></rule>"
	"<rule action='drop' direction='out' priority='1000'/>"
	"</filter>",
	/* no-arp-mac-spoofing */
	"<filter name='no-arp-mac-spoofing' chain='arp-mac' priority='-520'>"
	"<uuid>e8f9771a-9944-5dab-b20d-80ac6a706e7c</uuid>"
	"<rule action='return' direction='out' priority='350'><arp arpsrcmacaddr='$MAC'/></rule>"
	"<rule action='drop' direction='out' priority='1000'/>"
	"</filter>",
	/* no-arp-spoofing */
	"<filter name='no-arp-spoofing' chain='root'>"
	"<uuid>ec8be2fc-e1fd-5942-bafb-f429c9b49f8b</uuid>"
	"<filterref filter='no-arp-mac-spoofing'/>"
	"<filterref filter='no-arp-ip-spoofing'/>"
	"</filter>",
	/* no-ip-multicast */
	"<filter name='no-ip-multicast' chain='ipv4' priority='-700'>"
	"<uuid>1ba926d4-487f-5a6d-bb8d-67f6ffa6da3d</uuid>"
	"<rule action='drop' direction='out' priority='500'><ip dstipaddr='224.0.0.0' "
	"dstipmask='4'/></rule>"
	"</filter>",
	/* no-ip-spoofing */
	"<filter name='no-ip-spoofing' chain='ipv4-ip' priority='-710'>"
	"<uuid>ba03d23b-1ab0-569c-aa15-6ec78b79836b</uuid>"
	"<rule action='return' direction='out' priority='100'><ip srcipaddr='0.0.0.0' "
	"protocol='udp'/></rule>"
	"<rule action='return' direction='out' priority='500'><ip srcipaddr='$IP'/></rule>"
	"<rule action='drop' direction='out' priority='1000'/>"
	"</filter>",
	/* no-ipv6-multicast */
	"<filter name='no-ipv6-multicast' chain='ipv6' priority='-600'>"
	"<uuid>9545ad4f-f7cf-5b18-9aac-728a3351dd95</uuid>"
	"<rule action='drop' direction='out' priority='500'><ipv6 dstipaddr='ff00::' "
	"dstipmask='8'/></rule>"
	"</filter>",
	/* no-ipv6-spoofing */
	"<filter name='no-ipv6-spoofing' chain='ipv6-ip' priority='-610'>"
	"<uuid>9d39d4b5-f8e6-58bc-9449-5b374449c773</uuid>"
	"<rule action='return' direction='out' priority='100'><ipv6 srcipaddr='fe80::' "
	"srcipmask='10' protocol='udp'/></rule>"
	"<rule action='return' direction='out' priority='500'><ipv6 srcipaddr='$IPV6'/></rule>"
	"<rule action='drop' direction='out' priority='1000'/>"
	"</filter>",
	/* no-mac-broadcast */
	"<filter name='no-mac-broadcast' chain='ipv4' priority='-700'>"
	"<uuid>e6e978c9-9e5c-5fdb-b285-836108f30b84</uuid>"
	"<rule action='drop' direction='out' priority='500'><mac "
	"dstmacaddr='ff:ff:ff:ff:ff:ff'/></rule>"
	"</filter>",
	/* no-mac-spoofing */
	"<filter name='no-mac-spoofing' chain='mac' priority='-800'>"
	"<uuid>4072e3f4-daeb-523a-b286-1cd6cf898ca0</uuid>"
	"<rule action='return' direction='out' priority='500'><mac srcmacaddr='$MAC'/></rule>"
	"<rule action='drop' direction='out' priority='500'><mac/></rule>"
	"</filter>",
	/* no-other-l2-traffic */
	"<filter name='no-other-l2-traffic' chain='root'>"
	"<uuid>69bac2a9-89bc-5117-80de-61a4132f7fec</uuid>"
	"<rule action='drop' direction='inout' priority='1000'/>"
	"</filter>",
	/* no-other-rarp-traffic */
	"<filter name='no-other-rarp-traffic' chain='rarp' priority='-400'>"
	"<uuid>f54f598f-2f46-5a8d-996b-7cd035bbf6bc</uuid>"
	"<rule action='drop' direction='inout' priority='1000'/>"
	"</filter>",
	/* qemu-announce-self */
	"<filter name='qemu-announce-self' chain='root'>"
	"<uuid>5d8fa4fe-91a7-5095-8f24-e8c5397cdbc4</uuid>"
	"<rule action='accept' direction='out' priority='500'><mac protocolid='0x835'/></rule>"
	"<filterref filter='qemu-announce-self-rarp'/>"
	"<filterref filter='no-other-rarp-traffic'/>"
	"</filter>",
	/* qemu-announce-self-rarp */
	"<filter name='qemu-announce-self-rarp' chain='rarp' priority='-400'>"
	"<uuid>58e6a568-82f9-5cdf-bba0-5a8ba37c8e2d</uuid>"
	"<rule action='accept' direction='out' priority='500'><rarp opcode='Request_Reverse' "
	"srcmacaddr='$MAC' dstmacaddr='ff:ff:ff:ff:ff:ff' arpsrcmacaddr='$MAC' "
	"arpdstmacaddr='$MAC' arpsrcipaddr='0.0.0.0' arpdstipaddr='0.0.0.0'/></rule>"
	"<rule action='accept' direction='in' priority='500'><rarp opcode='Request_Reverse' "
	"dstmacaddr='ff:ff:ff:ff:ff:ff' arpsrcmacaddr='$MAC' arpdstmacaddr='$MAC' "
	"arpsrcipaddr='0.0.0.0' arpdstipaddr='0.0.0.0'/></rule>"
	"</filter>",
	NULL,
};

const char *const *filter_stock(void)
{
	return documents;
}
