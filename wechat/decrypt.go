package wechat

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
)

// maxEncrypted bounds encryptedData, in bytes of base64. A profile has about 600.
const maxEncrypted = 64 << 10

// ErrDecrypt says that encrypted data did not open. It says no more, ever: to tell a wrong padding from wrong text
// would let an attacker decrypt without the key. For an honest user it means that the session key is out of date.
var ErrDecrypt = errors.New("wechat: encrypted data does not open with this session key")

// Decrypt opens the encryptedData and iv that a Mini Program got from an older API, with the user's session key, all in
// base64. It returns a JSON object, to be read with ParseUserInfo or ParsePhoneInfo, or ErrDecrypt.
//
// AES-128-CBC has no checksum: that the result is JSON with the right watermark is all the proof there is.
// (developers.weixin.qq.com/miniprogram/dev/framework/open-ability/signature)
func Decrypt(sessionKey, encryptedData, iv string) ([]byte, error) {
	if len(encryptedData) > maxEncrypted {
		return nil, ErrDecrypt
	}
	key, okKey := decodeBase64(sessionKey)
	vector, okVector := decodeBase64(iv)
	data, okData := decodeBase64(encryptedData)
	// The library takes longer keys too, and panics at a vector or data of another length.
	if !okKey || !okVector || !okData || len(key) != keySize || len(vector) != aes.BlockSize ||
		len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrDecrypt
	}
	cipher.NewCBCDecrypter(block, vector).CryptBlocks(data, data)

	padding, padded := paddingLength(data)
	text := data[:len(data)-padding]
	if object := isObject(text); !object || padded != 1 {
		return nil, ErrDecrypt
	}
	return text, nil
}

// decodeBase64 reads strict standard base64, with "+" mended where a form made it a space. (GH binarywang/WxJava#666)
func decodeBase64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") { // which the library skips
		return nil, false
	}
	data, err := base64.StdEncoding.Strict().DecodeString(strings.ReplaceAll(s, " ", "+"))
	return data, err == nil
}

// paddingLength returns the length of the PKCS#7 padding of data, and 1 when it is right in every byte; 0 and 0
// otherwise. It takes the same time for all data of one length, and data has a block at least.
func paddingLength(data []byte) (length, ok int) {
	n := data[len(data)-1]
	ok = subtle.ConstantTimeLessOrEq(1, int(n)) & subtle.ConstantTimeLessOrEq(int(n), aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		beyond := 1 - subtle.ConstantTimeLessOrEq(i, int(n))
		ok &= beyond | subtle.ConstantTimeByteEq(data[len(data)-i], n)
	}
	return subtle.ConstantTimeSelect(ok, int(n), 0), ok
}

func isObject(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) && json.Valid(text)
}

// VerifySignature reports whether signature proves rawData, which must be the very string the Mini Program got, under
// the session key. (developers.weixin.qq.com/miniprogram/dev/framework/open-ability/signature)
func VerifySignature(rawData, sessionKey, signature string) bool {
	sum := sha1.Sum([]byte(rawData + sessionKey)) // the key as text, in base64
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(signature)) == 1
}
