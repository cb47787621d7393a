// The transport, the security and the muxer that the arguments name, and nothing else.

package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/libp2p/go-libp2p/p2p/transport/websocket"
)

const library = "github.com/libp2p/go-libp2p"

// The size of RSA keys that every stack takes.
const rsaBits = 2048

var keyTypes = map[string]int{
	"ed25519": crypto.Ed25519, "secp256k1": crypto.Secp256k1, "ecdsa": crypto.ECDSA, "rsa": crypto.RSA,
}

// Everything that the arguments decide.
func options(args arguments) ([]libp2p.Option, error) {
	keyType, known := keyTypes[args.key]
	if !known {
		return nil, fmt.Errorf("unknown key type %s", args.key)
	}
	secret, _, err := crypto.GenerateKeyPairWithReader(keyType, rsaBits, rand.Reader)
	if err != nil {
		return nil, err
	}
	all := []libp2p.Option{
		libp2p.Identity(secret),
		libp2p.NoListenAddrs,
		libp2p.UserAgent("go-libp2p/" + libraryVersion()),
	}
	if !args.defaultLimits {
		// The tests open more streams at once than the default limits let one peer have.
		all = append(all, libp2p.ResourceManager(&network.NullResourceManager{}))
	}
	layers, err := stackOptions(strings.Split(args.stack, "/"), args.tls)
	if err != nil {
		return nil, err
	}
	if args.psk != "" {
		key, err := hex.DecodeString(args.psk)
		if err != nil {
			return nil, err
		}
		all = append(all, libp2p.PrivateNetwork(key))
	}
	return append(all, layers...), nil
}

func stackOptions(layers []string, certificates string) ([]libp2p.Option, error) {
	transport, err := transportOption(layers[0], certificates)
	if err != nil || layers[0] == "quic-v1" {
		return []libp2p.Option{transport}, err
	}
	if len(layers) != 3 || layers[2] != "yamux" {
		return nil, fmt.Errorf("unknown stack %v", layers)
	}
	muxer := libp2p.Muxer(yamux.ID, yamux.DefaultTransport)
	switch layers[1] {
	case "noise":
		return []libp2p.Option{transport, muxer, libp2p.Security(noise.ID, noise.New)}, nil
	case "tls":
		return []libp2p.Option{transport, muxer, libp2p.Security(libp2ptls.ID, libp2ptls.New)}, nil
	default:
		return nil, fmt.Errorf("unknown security %s", layers[1])
	}
}

func transportOption(name, certificates string) (libp2p.Option, error) {
	switch name {
	case "tcp":
		return libp2p.Transport(tcp.NewTCPTransport), nil
	case "quic-v1":
		return libp2p.Transport(quic.NewTransport), nil
	case "ws":
		return libp2p.Transport(websocket.New), nil
	case "wss":
		return secureWebsocket(certificates)
	default:
		return nil, fmt.Errorf("unknown transport %s", name)
	}
}

// Shows the certificate of the folder, and trusts its root.
func secureWebsocket(folder string) (libp2p.Option, error) {
	root, err := os.ReadFile(filepath.Join(folder, "root.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	certificate, err := tls.LoadX509KeyPair(filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"))
	if err != nil {
		return nil, err
	}
	return libp2p.Transport(
		websocket.New,
		websocket.WithTLSConfig(&tls.Config{Certificates: []tls.Certificate{certificate}}),
		websocket.WithTLSClientConfig(&tls.Config{RootCAs: roots}),
	), nil
}

// The version that this program was built with.
func libraryVersion() string {
	info, _ := debug.ReadBuildInfo()
	if info != nil {
		for _, module := range info.Deps {
			if module.Path == library {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return "unknown"
}
