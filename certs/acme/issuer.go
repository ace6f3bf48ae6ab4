package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// issuer places orders. It is what certmagic asks when a certificate is due.
type issuer struct {
	directory, email, key string
	types                 []string
	storage               certmagic.Storage
	http                  *http.Client
	challenges            *challenges
	log                   *zap.Logger
}

var (
	_ certmagic.Issuer            = (*issuer)(nil)
	_ certmagic.RenewalInfoGetter = (*issuer)(nil)
)

// issuerKey names an authority in the storage.
func issuerKey(directory string) string {
	u, err := url.Parse(directory)
	if err != nil {
		return directory
	}
	return strings.Trim(strings.NewReplacer("/", "-", ":", "-").Replace(u.Host+u.Path), "-")
}

// IssuerKey tells the authority's certificates in the storage from those of others.
func (i *issuer) IssuerKey() string { return i.key }

func (i *issuer) client() *acmez.Client {
	solvers := map[string]acmez.Solver{}
	for _, t := range i.types {
		solvers[t] = i.challenges
	}
	return &acmez.Client{
		ChallengeSolvers: solvers,
		Client: &acme.Client{
			Directory: i.directory, HTTPClient: i.http, UserAgent: "gatehouse", PollTimeout: 3 * time.Minute,
			Logger: slog.New(zapslog.NewHandler(i.log.Core(), zapslog.WithName(i.log.Name()), zapslog.AddStacktraceAt(slog.LevelError+1))),
		},
	}
}

// replaces is the key under which a context holds the certificate that an order
// is meant to replace.
type replaces struct{}

// Issue obtains a certificate. An authority that has forgotten the account, as
// one does that was set up anew, gets a new one.
func (i *issuer) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	client := i.client()
	issued, err := i.order(ctx, client, csr)
	var problem acme.Problem
	if errors.As(err, &problem) && problem.Type == acme.ProblemTypeAccountDoesNotExist {
		i.log.Warn("the authority does not know the account any more; another one is made", zap.String("directory", i.directory))
		if err := i.storage.Delete(ctx, i.accountFolder()); err != nil {
			return nil, err
		}
		issued, err = i.order(ctx, client, csr)
	}
	return issued, err
}

func (i *issuer) order(ctx context.Context, client *acmez.Client, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	account, err := i.account(ctx, client.Client)
	if err != nil {
		return nil, err
	}
	params, err := acmez.OrderParametersFromCSR(account, csr)
	if err != nil {
		return nil, err
	}
	params.Replaces, _ = ctx.Value(replaces{}).(*x509.Certificate)
	chains, err := client.ObtainCertificate(ctx, params)
	if err != nil {
		return nil, err
	}
	if len(chains) == 0 {
		return nil, errors.New("the authority gave no certificate")
	}
	// Where it offers several chains, the first one is what it recommends.
	return &certmagic.IssuedCertificate{Certificate: chains[0].ChainPEM, Metadata: chains[0]}, nil
}

// GetRenewalInfo asks when the authority would have a certificate renewed (RFC 9773).
func (i *issuer) GetRenewalInfo(ctx context.Context, cert certmagic.Certificate) (acme.RenewalInfo, error) {
	return i.client().GetRenewalInfo(ctx, cert.Leaf)
}

func (i *issuer) accountFolder() string {
	who := "nobody"
	if i.email != "" {
		who = certmagic.StorageKeys.Safe(i.email)
	}
	return path.Join("acme", certmagic.StorageKeys.Safe(i.key), "accounts", who)
}

// account gives the account in the storage, made now if there is none: by one
// of the gateways that share it.
func (i *issuer) account(ctx context.Context, client *acme.Client) (acme.Account, error) {
	a, err := i.storedAccount(ctx)
	if !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	lock := "account_" + i.key
	if err := i.storage.Lock(ctx, lock); err != nil {
		return a, fmt.Errorf("the account is locked: %w", err)
	}
	defer func() {
		if err := i.storage.Unlock(context.WithoutCancel(ctx), lock); err != nil {
			i.log.Error("a lock stays behind", zap.String("lock", lock), zap.Error(err))
		}
	}()
	if a, err = i.storedAccount(ctx); !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	return i.register(ctx, client)
}

// register makes an account. The configuration says that the terms of service
// are agreed to, or it would not have been accepted.
func (i *issuer) register(ctx context.Context, client *acme.Client) (acme.Account, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return acme.Account{}, err
	}
	a := acme.Account{PrivateKey: key, TermsOfServiceAgreed: true}
	if i.email != "" {
		a.Contact = []string{"mailto:" + i.email}
	}
	if a, err = client.NewAccount(ctx, a); err != nil {
		return a, fmt.Errorf("the account was not made: %w", err)
	}
	keyPEM, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		return a, err
	}
	data, err := json.MarshalIndent(a, "", "\t")
	if err != nil {
		return a, err
	}
	// The key first: an account counts as there when both are.
	for _, f := range []struct {
		name string
		data []byte
	}{{"account.key", keyPEM}, {"account.json", data}} {
		if err := i.storage.Store(ctx, path.Join(i.accountFolder(), f.name), f.data); err != nil {
			return a, fmt.Errorf("the account cannot be stored: %w", err)
		}
	}
	i.log.Info("account made", zap.String("directory", i.directory), zap.Strings("contact", a.Contact))
	return a, nil
}

func (i *issuer) storedAccount(ctx context.Context) (acme.Account, error) {
	var a acme.Account
	data, err := i.storage.Load(ctx, path.Join(i.accountFolder(), "account.json"))
	if err != nil {
		return a, err
	}
	keyPEM, err := i.storage.Load(ctx, path.Join(i.accountFolder(), "account.key"))
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(data, &a); err != nil {
		return a, fmt.Errorf("%s: %w", path.Join(i.accountFolder(), "account.json"), err)
	}
	a.PrivateKey, err = certmagic.PEMDecodePrivateKey(keyPEM)
	if err != nil {
		return a, fmt.Errorf("%s: %w", path.Join(i.accountFolder(), "account.key"), err)
	}
	return a, nil
}
