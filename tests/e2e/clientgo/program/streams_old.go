//go:build old

package main

import (
	"net/http"
	"net/url"

	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
)

// Before 0.29, client-go knew SPDY alone.

func executors(config *rest.Config, where *url.URL) ([]remotecommand.Executor, error) {
	spdy, err := remotecommand.NewSPDYExecutor(config, http.MethodPost, where)
	return []remotecommand.Executor{spdy}, err
}

func tunnels(*rest.Config, *url.URL) ([]httpstream.Dialer, error) {
	return nil, nil
}
