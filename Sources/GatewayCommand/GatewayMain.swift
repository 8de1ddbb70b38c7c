import ArgumentParser
public import AuthProviders
import Glibc

/// A gateway as a program: what stands in the `main.swift` of the product itself, and of a gateway of one's own with
/// further ways to log in.
///
/// ```swift
/// import GatewayCommand
///
/// GatewayMain.run(providers: [TokenProvider.self])
/// ```
public enum GatewayMain {
    /// What this program is: its name, and the providers it has. Set for as long as its command runs.
    @TaskLocal static var program = Program()

    struct Program: Sendable {
        var name = "pggateway"
        var registry = AuthProviderRegistry()
    }

    /// Runs one command line to its end, and ends the process. Call it on the main thread, before any other thread
    /// exists. The signals SIGHUP, SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 are the gateway's: they are held back from the
    /// first moment of a process that links this module.
    ///
    /// Every subcommand (`run` with `-t`, `demo`, `reference`, `hba`) is there and knows the methods of `providers`.
    /// Exit codes as sysexits(3): 0, 64 usage, 70 providers that do not fit together, 78 configuration.
    ///
    /// - Parameters:
    ///   - name: the program's name in its own help texts.
    ///   - arguments: the words behind the program's name; nil takes those the process was started with.
    ///   - providers: in addition to those that come with the gateway. A method word that is taken, or is no word of
    ///     lower-case letters, digits, `-` and `_`, is told on standard error and ends the process with 70.
    public static func run(
        name: String = "pggateway",
        arguments: [String]? = nil,
        providers: [any AuthProvider.Type] = []
    ) -> Never {
        StandardStreams.openMissing()
        do throws(AuthConfigurationError) {
            let program = Program(name: name, registry: try Self.registry(providers))
            Self.$program.withValue(program) { PGGatewayCommand.main(arguments) }
        } catch {
            StandardStreams.write("\(name): \(error.description)\n", to: STDERR_FILENO)
            Glibc.exit(EX_SOFTWARE)
        }
        Glibc.exit(EX_OK)
    }

    /// The providers that come with the gateway, and these.
    static func registry(
        _ providers: [any AuthProvider.Type]
    ) throws(AuthConfigurationError) -> AuthProviderRegistry {
        var registry = try AuthProviderRegistry.standard()
        for provider in providers { try registry.register(provider) }
        return registry
    }
}
