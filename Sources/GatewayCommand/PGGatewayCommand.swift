import ArgumentParser
import Foundation
import Gateway
import Glibc
import Logging
import Reactor
import Settings
import Telemetry

/// The command line. Exit codes as sysexits(3): 0, 64 usage, 78 configuration.
struct PGGatewayCommand: ParsableCommand {
    static var configuration: CommandConfiguration {
        let name = GatewayMain.program.name
        return CommandConfiguration(
            commandName: name,
            abstract: "The gateway through which an organisation reaches its PostgreSQL databases.",
            discussion: """
                \(name) [-l LEVEL] [-F text|structured] CONFIG   runs the gateway with a settings file (YAML or TOML)
                \(name) -t CONFIG                                checks the settings: exit 0 when good, 78 when not
                Signals: SIGHUP reloads the settings; SIGTERM and SIGINT stop gracefully; SIGUSR1 and SIGUSR2
                do nothing. One that comes while the gateway starts takes effect when it has started.
                """,
            version: "pggateway \(Gateway.version)",
            subcommands: [Run.self, Demo.self, Reference.self, HBACommand.self],
            defaultSubcommand: Run.self
        )
    }
}

extension SettingsSource {
    /// A settings file for the methods of this program.
    init(path: String) {
        self.init(
            path: path,
            environment: ProcessInfo.processInfo.environment,
            registry: GatewayMain.program.registry
        )
    }
}

struct LogOptions: ParsableArguments {
    @Option(
        name: [.customShort("l"), .long],
        help: """
            error, warn, info, debug, trace or off. Rules for modules ('warn,pool=debug') are accepted; all lines are \
            of the module pggateway.
            """
    )
    var logLevel = "info"

    @Option(name: [.customShort("F"), .long], help: "text or structured.")
    var logFormat = "text"

    /// What the words mean.
    func read() throws -> (rules: LogRules, format: LogFormat) {
        let rules: LogRules
        do {
            rules = try LogRules(parsing: self.logLevel)
        } catch {
            throw ValidationError("--log-level: \(error)")
        }
        switch self.logFormat {
        case "text", "debug": return (rules, .text)
        case "structured": return (rules, .structured)
        default: throw ValidationError("--log-format is 'text' or 'structured'")
        }
    }

    /// Makes the process log as asked.
    func bootstrap() throws -> Logger {
        let (rules, format) = try self.read()
        LogOutput.bootstrap(rules: rules, format: format)
        return Logger(label: "pggateway")
    }
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "run", abstract: "Runs the gateway (the default).")

    @Argument(help: "The settings file, YAML or TOML.")
    var config = "pggateway.yaml"

    @Flag(name: [.customShort("t"), .long], help: "Check the settings and exit: 0 when they are good, 78 when not.")
    var testConfig = false

    @OptionGroup var logging: LogOptions

    func run() throws {
        let source = SettingsSource(path: self.config)
        if self.testConfig {
            GatewayProcess.releaseSignals()
            // A command line that does not run is not told to be good.
            _ = try self.logging.read()
            do throws(GatewayStartError) {
                for warning in try source.check() {
                    StandardStreams.write("warning: \(warning)\n", to: STDERR_FILENO)
                }
            } catch {
                fail(error)
            }
            print("pggateway: the configuration file \(self.config) syntax is ok")
            print("pggateway: configuration file \(self.config) test is successful")
            return
        }
        let log = try self.logging.bootstrap()
        do throws(GatewayStartError) {
            try GatewayProcess.run(source: source, log: log)
        } catch {
            fail(error)
        }
    }
}

struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Starts a throw-away PostgreSQL with the gateway before it, and stops both on Ctrl-C."
    )

    @Option(name: .shortAndLong, help: "Port of the gateway; a free one when not given.")
    var port: Int?

    @OptionGroup var logging: LogOptions

    func validate() throws {
        // 0 is any free one, as for bind(2).
        guard let port = self.port, !(0...65_535).contains(port) else { return }
        throw ValidationError("--port: \(port) is not a port: 0 to 65535")
    }

    func run() throws {
        let log = try self.logging.bootstrap()
        // Held back while anything is started, so that Ctrl-C in the middle leaves no PostgreSQL behind.
        GatewayProcess.blockSignals()
        let demo = try DemoSession.start(port: self.port)
        defer { demo.stop() }
        StandardStreams.write("\(demo.banner)\n", to: STDOUT_FILENO)
        let source = SettingsSource(path: demo.configPath)
        do throws(GatewayStartError) {
            // A terminal that closes ends the demonstration.
            try GatewayProcess.run(source: source, log: log, reloadsOnHangup: false)
        } catch {
            demo.stop()
            fail(error)
        }
    }
}

struct Reference: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Prints reference pages, made from the tables the code reads."
    )

    enum Page: String, ExpressibleByArgument, CaseIterable {
        case settings
        case sample
        case console
        case audit
    }

    @Argument(help: "settings, sample, console or audit.")
    var page: Page

    func run() {
        GatewayProcess.releaseSignals()
        switch self.page {
        case .settings: print(SettingsReference.markdown, terminator: "")
        case .sample: print(SettingsReference.sampleYAML, terminator: "")
        case .console: print(ConsoleReference.markdown, terminator: "")
        case .audit: print(AuditReference.markdown, terminator: "")
        }
    }
}

/// EX_CONFIG, with the reason on standard error.
private func fail(_ error: GatewayStartError) -> Never {
    StandardStreams.write("\(error.description)\n", to: STDERR_FILENO)
    Glibc.exit(78)
}
