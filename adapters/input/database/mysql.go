package database

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlDB is a database of MySQL or MariaDB.
type mysqlDB struct{ config *mysql.Config }

// newMySQL reads an address. What it lacks comes from MYSQL_HOST, MYSQL_TCP_PORT,
// MYSQL_UNIX_PORT and MYSQL_PWD, as in MySQL's own clients, and from USER.
func newMySQL(u *url.URL) (engine, error) {
	c := mysql.NewConfig()
	c.Logger = log.New(io.Discard, "", 0) // its errors are returned as well
	c.User = cmp.Or(u.User.Username(), os.Getenv("USER"))
	c.Passwd = os.Getenv("MYSQL_PWD")
	c.DBName = strings.Trim(u.Path, "/")
	if c.DBName == "" {
		return nil, errors.New("the address lacks the database's name: give mysql://USER@HOST/DATABASE")
	}
	host := cmp.Or(u.Hostname(), os.Getenv("MYSQL_HOST"), "localhost")
	port := cmp.Or(u.Port(), os.Getenv("MYSQL_TCP_PORT"), "3306")
	c.Net, c.Addr = "tcp", net.JoinHostPort(host, port)
	query := u.Query()
	if socket := cmp.Or(query.Get("socket"), os.Getenv("MYSQL_UNIX_PORT")); socket != "" && u.Hostname() == "" {
		c.Net, c.Addr = "unix", socket
	}
	c.Timeout = patience
	c.AllowNativePasswords, c.CheckConnLiveness = true, false
	var err error
	if c.Net == "tcp" {
		c.TLS, c.AllowFallbackToPlaintext, err = encryption(query, host)
	}
	return &mysqlDB{c}, err
}

// encryption reads MySQL's ssl-mode and ssl-ca, and what other clients call so.
func encryption(query url.Values, host string) (config *tls.Config, fallback bool, err error) {
	mode := strings.ToLower(cmp.Or(query.Get("ssl-mode"), query.Get("sslmode"), query.Get("tls"), query.Get("sslaccept"), "preferred"))
	config = &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if file := cmp.Or(query.Get("ssl-ca"), query.Get("sslca")); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, false, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, false, fmt.Errorf("%s holds no certificates", file)
		}
	}
	switch mode {
	case "disabled", "disable", "false":
		return nil, false, nil
	case "preferred", "prefer":
		config.InsecureSkipVerify = true // anything is better than no encryption
		return config, true, nil
	case "required", "require", "skip-verify", "accept_invalid_certs":
		config.InsecureSkipVerify = true
		return config, false, nil
	case "verify_ca", "verify-ca", "verify_identity", "verify-full", "true", "strict":
		return config, false, nil
	}
	return nil, false, fmt.Errorf("ssl-mode %q is none of disabled, preferred, required, verify_identity", mode)
}

func (e *mysqlDB) identity() string { return "mysql " + e.config.Addr + " " + e.config.DBName }

func (e *mysqlDB) connect(ctx context.Context) (session, error) {
	connector, err := mysql.NewConnector(e.config)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	s := &sqlSession{db: db, now: "SELECT UNIX_TIMESTAMP(NOW(3))"}
	if s.conn, err = db.Conn(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for _, statement := range []string{
		// The server's limits would end a transaction that waits for an upload.
		"SET SESSION time_zone = '+00:00', net_write_timeout = 86400, wait_timeout = 86400",
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
		"START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
	} {
		if _, err := s.conn.ExecContext(ctx, statement); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (*mysqlDB) close() error { return nil }

func (e *mysqlDB) tables(ctx context.Context, s session) ([]table, error) {
	return s.(*sqlSession).tables(ctx, "SELECT '', table_name, column_name, data_type FROM information_schema.columns "+
		"WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position")
}

func (*mysqlDB) quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (e *mysqlDB) cell(c column) string { return "t." + e.quote(c.name) }

func (e *mysqlDB) before(c column, t time.Time) string {
	return "t." + e.quote(c.name) + " < '" + t.Format(time.DateTime) + "'"
}

func (*mysqlDB) sortable(column) bool { return true }

// whyMySQL returns what to do about an error of the server's, or "".
func whyMySQL(err error) string {
	var answer *mysql.MySQLError
	if !errors.As(err, &answer) {
		return ""
	}
	switch answer.Number {
	case 1045, 1698:
		return "put the password into the environment variable MYSQL_PWD"
	case 1142, 1143, 1044:
		return "grant the user SELECT on the tables"
	case 1049:
		return "give the database's name behind the host, as mysql://USER@HOST/DATABASE"
	}
	return ""
}
