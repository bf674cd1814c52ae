package codes_test

import (
	"testing"

	"hopper/adapters/matomo/codes"
)

func TestNames(t *testing.T) {
	for code, want := range map[string]string{"CH": "Chrome", "FM": "Firefox Mobile", "F1": "Firefox Mobile iOS", "PS": "Microsoft Edge", "": "", "UNK": "", "Some App": "Some App"} {
		if got := codes.Browser(code); got != want {
			t.Errorf("browser %q is %q, not %q", code, got, want)
		}
	}
	for code, want := range map[string]string{"WIN": "Windows", "MAC": "Mac", "IPA": "iPadOS", "LIN": "GNU/Linux", "UNK": ""} {
		if got := codes.OS(code); got != want {
			t.Errorf("system %q is %q, not %q", code, got, want)
		}
	}
}
