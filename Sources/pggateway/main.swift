import GatewayCommand

GatewayMain.run()
