library(ggplot2)
sales <- data.frame(month = 1:12, amount = (1:12 * 37) %% 90 + 10)
ggplot(sales, aes(month, amount)) + geom_col() + labs(title = "Sales")
