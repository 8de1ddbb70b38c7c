import ArgumentParser
import AuthProviders
import Gateway
import Glibc
import HBA

/// `pggateway hba`: what can be said about rule files without a gateway that runs.
struct HBACommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hba",
        abstract: "Checks rule files, and explains who is let in by them.",
        subcommands: [HBACheck.self, HBAExplain.self]
    )

    /// The method words this gateway has providers for.
    static var methods: Set<String> { Set(GatewayMain.program.registry.hbaMethods) }

    /// Those of them that take the option `map=`.
    static var mapMethods: Set<String> { Set(GatewayMain.program.registry.mapMethods) }

    static func writeError(_ text: String) {
        StandardStreams.write("\(text)\n", to: STDERR_FILENO)
    }
}

struct HBACheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads rule files as the gateway would: exit 0 when all are good, 1 when not.",
        discussion: "All errors of all files are told at once, on standard error, as FILE:LINE:COLUMN: reason; hint."
    )

    @Argument(help: "Files in the format of pg_hba.conf.")
    var files: [String]

    @Flag(help: "The files are identity maps, in the format of pg_ident.conf.")
    var ident = false

    func run() throws {
        GatewayProcess.releaseSignals()
        let methods = HBACommand.methods
        let mapMethods = HBACommand.mapMethods
        var isGood = true
        for file in self.files {
            do throws(HBAErrors) {
                if self.ident {
                    print(try self.summaryOfMaps(in: file))
                    continue
                }
                let rules = try HBAPolicy
                    .load(path: file, methods: methods, mapMethods: mapMethods, reader: PolicyFiles.reader).rules
                let complaints = Self.complaints(about: rules)
                if complaints.isEmpty {
                    print("\(file): \(rules.count) \(rules.count == 1 ? "rule" : "rules")")
                } else {
                    isGood = false
                    HBACommand.writeError(complaints.joined(separator: "\n"))
                }
            } catch {
                isGood = false
                HBACommand.writeError(error.description)
            }
        }
        guard isGood else { throw ExitCode(1) }
    }

    private func summaryOfMaps(in file: String) throws(HBAErrors) -> String {
        let maps = try IdentMaps.load(path: file, reader: PolicyFiles.reader)
        return "\(file): \(maps.count) \(maps.count == 1 ? "line" : "lines")"
    }

    /// Options are the affair of the methods, which are made here as the gateway makes them. Of what a method needs
    /// beyond its rule (the settings table `talos`) nothing can be said.
    private static func complaints(about rules: [HBARule]) -> [String] {
        let services = AuthServices(secrets: StaticSecrets([:]))
        var complaints: [String] = []
        for rule in rules {
            do throws(AuthConfigurationError) {
                _ = try GatewayMain.program.registry.makeProvider(options: try MethodOptions(rule), services: services)
            } catch {
                if case .unusableFile = error { continue }
                complaints.append("\(rule.file):\(rule.line): \(error.description)")
            }
        }
        return complaints
    }
}
