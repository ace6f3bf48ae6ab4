package gateway

import (
	"errors"
	"net/http"
)

// errUpgrade is why an answer 101 goes no further: the gateway never asks for one.
var errUpgrade = errors.New("the pipeline has answered 101")

// upgrade refuses an answer that turns the connection into something else.
func (s *passage) upgrade(w http.ResponseWriter, res *http.Response) {
	_ = res.Body.Close()
	s.broken(w, errUpgrade)
}
