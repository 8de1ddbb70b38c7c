import GatewayCommand
import OneTimeCodes

GatewayMain.run(name: "otp-gateway", providers: [OneTimeCodes.self])
