// Copyright: (c) 2026, tokenwright contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Covers asks Kubernetes' own comparator of rules, the one that kubectl auth reconcile uses. To each pair of rule lists
// on standard input it answers with a line: whether the owner's cover the candidate's, and what they do not cover. All
// is JSON.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
)

type pair struct {
	Owner     []rbacv1.PolicyRule `json:"owner"`
	Candidate []rbacv1.PolicyRule `json:"candidate"`
}

type answer struct {
	Covers    bool                `json:"covers"`
	Uncovered []rbacv1.PolicyRule `json:"uncovered"`
}

func main() {
	asked := json.NewDecoder(bufio.NewReader(os.Stdin))
	asked.DisallowUnknownFields()
	written := bufio.NewWriter(os.Stdout)
	said := json.NewEncoder(written)
	for {
		var one pair
		if err := asked.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			log.Fatal(err)
		}
		covers, uncovered := validation.Covers(one.Owner, one.Candidate)
		if err := said.Encode(answer{covers, uncovered}); err != nil {
			log.Fatal(err)
		}
	}
	if err := written.Flush(); err != nil {
		log.Fatal(err)
	}
}
