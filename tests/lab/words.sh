# What the scripts of the lab and of the user-mode Linux share: a Lodge below /mnt/root, and what it has to say.
l() { echo "\$ $*"; "$LODGE" --root /mnt/root "$@" 2>&1; }
has() { # has WORD COMMAND...: it succeeds, and says WORD
	local word=$1 said
	shift
	said=$(l "$@") || { echo "$said"; return 1; }
	echo "$said"
	case $said in *"$word"*) ;; *) echo "no '$word' in that"; return 1 ;; esac
}
refuses() { # refuses WORD COMMAND...
	local word=$1 said
	shift
	if said=$(l "$@"); then echo "$said"; echo "it was not refused"; return 1; fi
	echo "$said"
	case $said in *"$word"*) ;; *) echo "no '$word' in that"; return 1 ;; esac
}
until_true() { # until_true COMMAND...: it becomes true within a minute or two
	for _ in $(seq 300); do "$@" && return; sleep 0.3; done
	echo "never true: $*"
	return 1
}
begin() { # the daemon, with its log in /mnt/log
	mkdir -p /mnt/root
	"$LODGE" daemon --root /mnt/root 2>>/mnt/log &
	DAEMON=$!
	until_true l version >/dev/null
}
crash() { # the daemon is killed; its end takes a moment
	kill -9 $DAEMON
	wait $DAEMON || :
}
