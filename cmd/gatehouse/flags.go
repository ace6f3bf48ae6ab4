package main

import (
	"encoding/json"
	"flag"
	"fmt"
)

// configFlag reads the command line of a verb that takes a configuration file
// and nothing else. It reports misuse; ok is false then.
func configFlag(e *env, verb string, args []string) (file string, ok bool) {
	flags := flags(e, verb, "-c FILE")
	flags.StringVar(&file, "c", "", "configuration `file`")
	if err := flags.Parse(args); err != nil {
		return "", false
	}
	if file == "" || flags.NArg() > 0 {
		flags.Usage()
		return "", false
	}
	return file, true
}

// flags makes the flag set of a verb, which reports its own misuse.
func flags(e *env, verb, args string) *flag.FlagSet {
	f := flag.NewFlagSet(verb, flag.ContinueOnError)
	f.SetOutput(e.stderr)
	told := false // a flag that does not parse has told it already
	f.Usage = func() {
		if told {
			return
		}
		told = true
		fmt.Fprintf(e.stderr, "usage: gatehouse %s %s\n", verb, args)
		f.PrintDefaults()
	}
	return f
}

// parseMixed parses flags that stand before, between and after the other
// arguments, and gives those.
func parseMixed(flags *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) == 0 {
			return rest, nil
		}
		rest, args = append(rest, args[0]), args[1:]
	}
}

// printJSON prints one object for machines and gives the exit code.
func printJSON(e *env, v any, code int) int {
	enc := json.NewEncoder(e.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		fmt.Fprintf(e.stderr, "gatehouse: %v\n", err)
		return exitWrong
	}
	return code
}
