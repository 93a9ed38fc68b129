module fuzzpeer

go 1.22
