import java.io.StringReader;
import java.io.StringWriter;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Objects;
import java.util.Properties;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.postgresql.PGConnection;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;

/**
 * pgjdbc: extended protocol, batches, portals with a fetch size, COPY, large objects (FunctionCall), cancel.
 *
 * E2E_PREPARED names every statement at its first use; E2E_CROWDED is the number of clients, each a thread.
 */
public class Jdbc {
    static final AtomicInteger checks = new AtomicInteger();

    static void same(Object found, Object expected) {
        int number = checks.incrementAndGet();
        if (!Objects.equals(found, expected)) {
            throw new AssertionError("check " + number + ": found " + found + ", expected " + expected);
        }
    }

    static Object value(Connection connection, String sql, Object... arguments) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < arguments.length; i++) {
                statement.setObject(i + 1, arguments[i]);
            }
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                return rows.getObject(1);
            }
        }
    }

    static void fails(String state, Connection connection, String sql) {
        try {
            value(connection, sql);
        } catch (SQLException problem) {
            same(problem.getSQLState(), state);
            return;
        }
        throw new AssertionError("no error: " + sql);
    }

    public static void main(String[] arguments) throws Exception {
        String crowd = System.getenv("E2E_CROWDED");
        var problems = new ConcurrentLinkedQueue<Throwable>();
        var clients = new ArrayList<Thread>();
        for (int i = 0; i < (crowd == null ? 1 : Integer.parseInt(crowd)); i++) {
            int number = i;
            clients.add(new Thread(() -> {
                try {
                    client(number, crowd != null);
                } catch (Throwable problem) {
                    problems.add(problem);
                }
            }));
        }
        for (Thread client : clients) {
            client.start();
        }
        for (Thread client : clients) {
            client.join();
        }
        for (Throwable problem : problems) {
            problem.printStackTrace();
            System.exit(1);
        }
        System.out.println("ok " + checks);
    }

    static void client(int own, boolean crowded) throws Exception {
        boolean sessionMode = "session".equals(System.getenv("E2E_MODE"));
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", System.getenv("PGSSLMODE"));
        if (System.getenv("PGSSLROOTCERT") != null) {
            properties.setProperty("sslrootcert", System.getenv("PGSSLROOTCERT"));
        }
        boolean prepared = System.getenv("E2E_PREPARED") != null;
        if (prepared) {
            properties.setProperty("prepareThreshold", "1");
        } else if (!sessionMode) {
            properties.setProperty("prepareThreshold", "0");
        }
        String server = System.getenv("PGHOST") + ":" + System.getenv("PGPORT");
        String url = "jdbc:postgresql://" + server + "/" + System.getenv("PGDATABASE");
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            same(value(connection, "select ?::int + 1", 41), 42);
            same(value(connection, "select ?::text", "Grüße, мир"), "Grüße, мир");
            same(value(connection, "select length(?::text)", "long ".repeat(50_000)), 250_000);
            for (int i = 0; i < 12; i++) {
                same(value(connection, "select ?::int", i), i);
                same(value(connection, "select ?::int + " + own, i), i + own);
            }
            fails("22012", connection, "select 1 / 0");
            fails("42601", connection, "not sql");
            same(value(connection, "select 'still here'"), "still here");

            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement()) {
                statement.execute("create temp table t (a int primary key, b text) on commit drop");
            }
            try (PreparedStatement insert = connection.prepareStatement("insert into t values (?, ?)")) {
                for (int i = 0; i < 500; i++) {
                    insert.setInt(1, i);
                    insert.setString(2, "row " + i);
                    insert.addBatch();
                }
                same(insert.executeBatch().length, 500);
            }
            try (PreparedStatement select = connection.prepareStatement("select a from t order by a")) {
                select.setFetchSize(7);
                int count = 0;
                try (ResultSet rows = select.executeQuery()) {
                    while (rows.next()) {
                        same(rows.getInt(1), count++);
                    }
                }
                same(count, 500);
            }
            var copy = connection.unwrap(PGConnection.class).getCopyAPI();
            same(copy.copyIn("copy t from stdin", new StringReader("1000\tx\n1001\ty\n")), 2L);
            StringWriter out = new StringWriter();
            same(copy.copyOut("copy (select a from t where a >= 1000 order by a) to stdout", out), 2L);
            same(out.toString(), "1000\n1001\n");
            var before = connection.setSavepoint();
            fails("22P02", connection, "select 'x'::int");
            connection.rollback(before);
            same(value(connection, "select count(*) from t"), 502L);

            LargeObjectManager large = connection.unwrap(PGConnection.class).getLargeObjectAPI();
            long oid = large.createLO();
            LargeObject object = large.open(oid, LargeObjectManager.READWRITE);
            object.write(new byte[100_000]);
            object.seek(0);
            same(object.read(200_000).length, 100_000);
            object.close();
            connection.rollback();
            connection.setAutoCommit(true);

            if (!crowded) {
                try (Statement statement = connection.createStatement()) {
                    statement.setQueryTimeout(1);
                    try {
                        statement.execute("select pg_sleep(30)");
                        throw new AssertionError("no error");
                    } catch (SQLException problem) {
                        same(problem.getSQLState(), "57014");
                    }
                }
            }
            same(value(connection, "select 1"), 1);
        }
    }
}
