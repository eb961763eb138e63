// Package picture draws what a physicist wants to see of fields: panels of maps
// with one colour bar, and log-log power spectra. PNG, one pixel a unit.
//
//	            title
//	         column   column   column
//	row 1    [map]    [map]    [map]    | colour
//	row 2    [map]    [map]    [map]    | bar
package picture
