//go:build !old

package main

import (
	"net/http"
	"net/url"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
)

func executors(config *rest.Config, where *url.URL) ([]remotecommand.Executor, error) {
	sockets, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, where.String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, where)
	return []remotecommand.Executor{sockets, spdy}, err
}

func tunnels(config *rest.Config, where *url.URL) ([]httpstream.Dialer, error) {
	dialer, err := portforward.NewSPDYOverWebsocketDialer(where, config)
	return []httpstream.Dialer{dialer}, err
}
