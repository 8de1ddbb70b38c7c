// lib/pq: prepared statements where the pool keeps them, else binary parameters in one round trip; COPY, cancel.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/lib/pq"
)

var checks = 0

func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "after check %d: %v\n", checks, err)
		os.Exit(1)
	}
}

func same(found, expected interface{}) {
	checks++
	if found != expected {
		must(fmt.Errorf("found %v, expected %v", found, expected))
	}
}

type source interface {
	QueryRow(query string, arguments ...interface{}) *sql.Row
}

func integer(from source, query string, arguments ...interface{}) int {
	var value int
	must(from.QueryRow(query, arguments...).Scan(&value))
	return value
}

func fails(state string, err error) {
	problem, ok := err.(*pq.Error)
	if !ok {
		must(fmt.Errorf("not an error of the server: %v", err))
	}
	same(string(problem.Code), state)
}

func main() {
	_, kept := os.LookupEnv("E2E_PREPARED")
	_, crowded := os.LookupEnv("E2E_CROWDED")
	prepared := kept || os.Getenv("E2E_MODE") == "session"
	address := "sslmode=" + os.Getenv("PGSSLMODE")
	if !prepared {
		address += " binary_parameters=yes"
	}
	db, err := sql.Open("postgres", address)
	must(err)
	db.SetMaxOpenConns(1)

	same(integer(db, "select $1::int + 1", 41), 42)
	var words string
	must(db.QueryRow("select $1::text", "Grüße, мир").Scan(&words))
	same(words, "Grüße, мир")
	same(integer(db, "select length($1::text)", strings.Repeat("long ", 50000)), 250000)
	_, err = db.Exec("select 1 / $1::int", 0)
	fails("22012", err)
	_, err = db.Exec("not sql")
	fails("42601", err)
	same(integer(db, "select 7"), 7)

	tx, err := db.Begin()
	must(err)
	_, err = tx.Exec("create temp table t (a int primary key, b text) on commit drop")
	must(err)
	for i := 0; i < 50; i++ {
		_, err = tx.Exec("insert into t values ($1, $2)", i, fmt.Sprint("row ", i))
		must(err)
	}
	if prepared {
		load, err := tx.Prepare(pq.CopyIn("t", "a", "b"))
		must(err)
		for i := 50; i < 100; i++ {
			_, err = load.Exec(i, fmt.Sprint("row ", i))
			must(err)
		}
		_, err = load.Exec()
		must(err)
		must(load.Close())
		same(integer(tx, "select count(*) from t"), 100)
	}
	_, err = tx.Exec("insert into t values ($1, $2)", 1, "again")
	fails("23505", err)
	must(tx.Rollback())

	if prepared {
		statement, err := db.Prepare("select $1::int * 2")
		must(err)
		own, err := db.Prepare(fmt.Sprint("select $1::int + ", os.Getpid()))
		must(err)
		for i := 0; i < 5; i++ {
			var value int
			must(statement.QueryRow(i).Scan(&value))
			same(value, i*2)
			must(own.QueryRow(i).Scan(&value))
			same(value, i+os.Getpid())
		}
		must(own.Close())
		must(statement.Close())
	}

	if !crowded {
		limited, stop := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer stop()
		_, err = db.ExecContext(limited, "select pg_sleep(30)")
		if err == nil {
			must(fmt.Errorf("the query was not cancelled"))
		}
	}
	same(integer(db, "select 8"), 8)
	must(db.Close())
	fmt.Println("ok", checks)
}
