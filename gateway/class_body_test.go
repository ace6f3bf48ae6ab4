package gateway

func bodyClasses() []failure { return nil }
