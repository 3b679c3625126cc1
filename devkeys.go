package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wxpass/keyring"
)

type generatedKeys struct{ Token, Data string }

// developmentKeys reads the keys in dir, made at the first start. Several processes may start at once: each writes its
// own file, and the first to link it to the name wins.
func developmentKeys(dir string) (generatedKeys, error) {
	path := filepath.Join(dir, "keys.env")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return generatedKeys{}, err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		draft, err := os.CreateTemp(dir, "keys-*")
		if err != nil {
			return generatedKeys{}, err
		}
		defer os.Remove(draft.Name())
		_, writeErr := fmt.Fprintf(draft, "TOKEN_KEYS=%s\nDATA_KEYS=%s\n", keyring.New("dev").Encode(), keyring.New("dev").Encode())
		if err := errors.Join(writeErr, draft.Close()); err != nil {
			return generatedKeys{}, err
		}
		if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
			return generatedKeys{}, err
		}
	}
	kept, err := readEnvFile(path)
	if err != nil {
		return generatedKeys{}, err
	}
	return generatedKeys{Token: kept["TOKEN_KEYS"], Data: kept["DATA_KEYS"]}, nil
}
