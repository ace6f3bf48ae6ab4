package config

import (
	"net/http"
	"slices"
)

// The most that an endpoint may weigh, and slow_start may take: what is more is
// a slip.
const (
	mostWeight = 100
	mostPart   = 100 // percent
)

// endpoints checks each endpoint and what they say together. One address may
// stand there once: its region could be read in two ways.
func (k *checker) endpoints(path string, u *Upstream) {
	var urls []string
	for _, e := range u.Endpoints {
		urls = append(urls, e.URL)
	}
	k.unique(path, urls)
	for i, e := range u.Endpoints {
		at := index(path, i)
		address := at
		if k.written(join(at, "url")) {
			address = join(at, "url")
		}
		if e.URL != "" {
			k.endpoint(address, path, e.URL, u.Insecure)
		}
		if e.Region == "" && k.written(join(at, "region")) {
			k.mistake(join(at, "region"), "a region has a name; leave the key out where there is none")
		}
		if e.Weight > mostWeight {
			k.mistake(join(at, "weight"), "weight must be at most %d", mostWeight)
		}
	}
}

// balance checks how endpoints are chosen, and that what is said about it does
// something: whoever wrote it thinks that it does.
func (k *checker) balance(path string, u *Upstream) {
	if u.Hash != nil && u.Balance != "hash" && !k.unread(join(path, "balance")) {
		k.mistake(join(path, "hash"), "hash is for balance: hash")
	}
	if u.Panic < 0 || u.Panic > mostPart {
		k.mistake(join(path, "panic"), "panic is a percentage, from 0 to 100")
	}
	if u.Panic > 0 && u.Health == nil && u.Ejection == nil && !k.unread(join(path, "health")) && !k.unread(join(path, "ejection")) {
		k.mistake(join(path, "panic"), "panic is about endpoints that are not well, and without health and ejection all are")
	}
	k.health(join(path, "health"), u.Health)
	k.ejection(join(path, "ejection"), u.Ejection)
}

func (k *checker) health(path string, h *Health) {
	if h == nil {
		return
	}
	if h.Path != "" && h.Path[0] != '/' {
		k.mistake(join(path, "path"), "%q does not begin with /", h.Path)
	}
	k.statuses(join(path, "statuses"), h.Statuses)
}

func (k *checker) ejection(path string, e *Ejection) {
	if e == nil {
		return
	}
	k.statuses(join(path, "statuses"), e.Statuses)
	if e.Share > mostPart {
		k.mistake(join(path, "share"), "share is a percentage, from 1 to 100")
	}
	if e.Longest < e.For && !k.unread(join(path, "for")) && !k.unread(join(path, "longest")) {
		at := join(path, "longest")
		if !k.written(at) {
			at = join(path, "for")
		}
		k.mistake(at, "for, %s, is more than longest, %s", e.For, e.Longest)
	}
}

// statuses checks statuses of answers: there are no others than final ones.
func (k *checker) statuses(path string, list []int) {
	for i, s := range list {
		if s < http.StatusOK || s > 599 {
			k.mistake(index(path, i), "%d is not the status of an answer, which is from 200 to 599", s)
		} else if slices.Index(list, s) < i {
			k.mistake(index(path, i), "%d is listed twice", s)
		}
	}
}
