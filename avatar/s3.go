package avatar

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

const (
	page        = 500 // names handed to a visitor at once
	s3Timeout   = 15 * time.Second
	s3Tries     = 3
	maxObject   = 4 << 20 // bytes; what Process makes is far below
	s3Endpoint  = "https://s3.amazonaws.com"
	s3Region    = "us-east-1"
	contentType = "image/jpeg"
)

// s3 keeps objects in a bucket of an S3-compatible service.
type s3 struct {
	client         minio.Core
	bucket, prefix string
}

func openS3(o Options) (*s3, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, errors.New("s3: wants s3://BUCKET[/PREFIX]?endpoint=…&region=…, without a key in it")
	}
	query := u.Query()
	lookup, ok := map[string]minio.BucketLookupType{
		"": minio.BucketLookupAuto, "path": minio.BucketLookupPath, "host": minio.BucketLookupDNS,
	}[query.Get("style")]
	if !ok {
		return nil, errors.New("s3: style is neither path nor host")
	}
	endpoint, err := url.Parse(cmp.Or(query.Get("endpoint"), s3Endpoint))
	if err != nil || endpoint.Host == "" || endpoint.Scheme != "http" && endpoint.Scheme != "https" || strings.Trim(endpoint.Path, "/") != "" {
		return nil, errors.New("s3: endpoint is not of the form https://host")
	}
	for name := range query {
		if name != "endpoint" && name != "region" && name != "style" {
			return nil, fmt.Errorf("s3: there is no parameter %q", name)
		}
	}
	if o.AccessKeyID == "" || o.SecretAccessKey == "" {
		return nil, errors.New("s3: the access key or its secret is missing")
	}
	if lookup == minio.BucketLookupAuto && strings.HasSuffix(endpoint.Hostname(), ".myqcloud.com") {
		lookup = minio.BucketLookupDNS // Tencent's buckets since 2024 take nothing else (tencentcloud.com/document/product/436/57456)
	}
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(o.AccessKeyID, o.SecretAccessKey, o.SessionToken),
		Secure:       endpoint.Scheme == "https",
		Region:       cmp.Or(query.Get("region"), s3Region),
		BucketLookup: lookup,
		MaxRetries:   s3Tries,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	prefix := strings.Trim(u.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &s3{client: minio.Core{Client: client}, bucket: u.Host, prefix: prefix}, nil
}

func (s *s3) put(ctx context.Context, name string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	_, err := s.client.Client.PutObject(ctx, s.bucket, s.prefix+name, bytes.NewReader(data), int64(len(data)),
		minio.PutObjectOptions{ContentType: contentType, DisableMultipart: true, SendContentMd5: true}) // the one sum that all services know
	return err
}

func (s *s3) get(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	object, _, _, err := s.client.GetObject(ctx, s.bucket, s.prefix+name, minio.GetObjectOptions{})
	if minio.ToErrorResponse(err).Code == minio.NoSuchKey {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return nil, err
	}
	defer object.Close()
	data, err := io.ReadAll(io.LimitReader(object, maxObject+1))
	if err == nil && len(data) > maxObject {
		err = errors.New("the object is no avatar of ours: too large")
	}
	return data, err
}

func (s *s3) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, s3Timeout)
	defer cancel()
	return s.client.RemoveObject(ctx, s.bucket, s.prefix+name, minio.RemoveObjectOptions{})
}

func (s *s3) walk(ctx context.Context, visit func([]string) error) error {
	var names []string
	for object := range s.client.Client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix}) {
		if object.Err != nil {
			return object.Err
		}
		if names = append(names, strings.TrimPrefix(object.Key, s.prefix)); len(names) == page {
			if err := visit(names); err != nil {
				return err
			}
			names = names[:0]
		}
	}
	if err := ctx.Err(); err != nil { // which the listing does not tell
		return err
	}
	return visit(names)
}
